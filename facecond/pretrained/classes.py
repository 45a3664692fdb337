"""ImageNet's classes from the features of a network, by its last layer: no picture is looked at twice."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Classes:
    """A linear layer and a softmax."""

    weight_KD: NDArray[np.float64]
    bias_K: NDArray[np.float64] | float

    def __call__(self, features_ND: NDArray[np.floating]) -> NDArray[np.float64]:
        """Features (N, D) -> logarithms of the probabilities of classes (N, K)."""
        from scipy.special import log_softmax

        found: NDArray[np.float64] = log_softmax(
            features_ND.astype(np.float64) @ self.weight_KD.T + self.bias_K, axis=1
        )
        return found
