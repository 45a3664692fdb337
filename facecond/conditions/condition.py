"""What a condition is: everything the program knows about one kind of thing a model can be told.

The file of a condition holds its settings, how people write a value, the array that holds its values in
a pack, its record beside a generated picture, the network that turns values into tokens, what is hidden of it in
training, how it is mirrored, and its words. `table.CONDITIONS` lists the conditions; no other module refers to one by name.

A value of one picture is a numpy array; values of a batch are a tensor whose first axis is the item. This file loads no
torch, so that the command line and the schema can read the table.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from facecond.bounds import bounded
from facecond.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray
    from torch import Tensor, nn


@dataclass(kw_only=True, slots=True)
class ConditionSettings:
    """Settings every condition has; a condition's own class adds those of its encoder."""

    dropout: float | None = bounded(None, minimum=0.0, maximum=1.0)
    """Share of training items for which this condition is withheld; none = `model.condition_dropout`."""


class Column(NamedTuple):
    """Where a pack keeps a condition's values."""

    name: str
    """Of the array."""
    shape: Callable[[int], tuple[int, ...]]
    """Resolution in pixels -> shape of one value."""
    dtype: str
    entries: tuple[int, ...]
    """What an entry of a value may be."""
    derive: Callable[[NDArray[np.uint8], NDArray[np.uint8]], NDArray[Any]] | None = None
    """(pictures (N, H, W, 3), label maps (N, H, W)) -> values; None for what every source of faces gives."""


class Condition(ABC):
    """One kind of thing a model can be told."""

    name: ClassVar[str]
    """In configurations, tokens and records."""
    word: ClassVar[str]
    """The key, and the flag, by which the user gives a value."""
    help: ClassVar[str]
    """What that key takes, for `--help`."""
    heading: ClassVar[str]
    """Above its pictures in grids."""
    unsaid: ClassVar[str]
    """What may be left unsaid, as the subject of a sentence: "some attributes"."""
    settings: ClassVar[type[ConditionSettings]]
    column: ClassVar[Column]
    measures: ClassVar[tuple[str, ...]] = ()
    """Measures that ask whether a picture follows this condition."""
    changes_items: ClassVar[bool] = False
    """Whether a value given by hand changes the value of an item, rather than replacing it."""

    # What people write, and what is written down

    @abstractmethod
    def read(self, text: str, resolution: int) -> NDArray[Any]:
        """Return the value that `text` (words, or the name of a file) means, for pictures of `resolution` pixels."""

    def accept(self, value: NDArray[Any], resolution: int) -> NDArray[Any]:
        """Return a value that was given as an array.

        Raises DataError when its shape, dtype or entries are not those of `column`.
        """
        import numpy as np

        shape, dtype, entries = self.column.shape(resolution), self.column.dtype, self.column.entries
        found = f"{value.dtype} {value.shape}"
        if value.dtype == dtype and value.shape == shape:
            others = np.setdiff1d(value, entries)
            if not len(others):
                return value
            found += f" with {', '.join(map(str, others[:5]))}"
        raise DataError(
            f"{self.name} is an array {found}", hint=f"expected {dtype} {shape} of {', '.join(map(str, entries))}"
        )

    @abstractmethod
    def check(self, text: str) -> None:
        """Raise ConfigError or DataError when `text` cannot be read, as far as that can be seen without reading files whole."""

    def findings(self, text: str, resolution: int) -> list[str] | None:
        """Return what looks wrong with the value of a file, in the words of packing; None where nothing is looked for."""
        return None

    @abstractmethod
    def identify(self, text: str) -> str:
        """Return what `text` means in a form that is the same for the same value: a hash, or words in a fixed order."""

    def short(self, text: str) -> list[str]:
        """Return pieces of what `text` means for the name of a folder; a piece that begins with + or - follows the one before."""
        return [self.word, Path(text).stem]

    def completions(self, begun: str) -> list[str]:
        """Return what `begun`, typed so far, may become; nothing for the name of a file, which the shell completes."""
        return []

    @abstractmethod
    def leaves_open(self, text: str) -> bool:
        """Say whether what `text` means leaves something unsaid, as far as that can be seen without reading files."""

    def change(self, own: NDArray[Any], given: NDArray[Any]) -> NDArray[Any]:
        """Return an item's value with what `given` says put over it."""
        return given

    @abstractmethod
    def describe(self, value: NDArray[Any], origin: str) -> str:
        """Words for a record: the value itself where it can be read, else where it comes from (`origin`)."""

    @abstractmethod
    def record(self, value: NDArray[Any], folder: Path, digest: str) -> str:
        """Return the value as text for a record; what is no text is kept as a file of `folder`, once per content."""

    @abstractmethod
    def recall(self, text: str, folder: Path) -> NDArray[Any]:
        """Return the value that `record` wrote. Raises DataError for a file that is missing or damaged."""

    def picture(self, value: NDArray[Any]) -> NDArray[np.uint8] | None:
        """What to show of a value: RGB (H, W, 3), a label map (H, W) to be coloured, or None when there is nothing to see."""
        return None

    # Batches

    @abstractmethod
    def nothing(self, count: int, resolution: int, device: torch.device | str = "cpu") -> Tensor:
        """Return values that say nothing."""

    @abstractmethod
    def says_something(self, values: Tensor) -> Tensor:
        """Return bool (B,): items that say anything at all."""

    @abstractmethod
    def says_everything(self, values: Tensor) -> Tensor:
        """Return bool (B,): items that leave nothing unsaid."""

    @abstractmethod
    def mirror(self, values: Tensor) -> Tensor:
        """Return the values of the mirrored pictures."""

    @abstractmethod
    def draw_hidden(self, share_B: Tensor, generator: torch.Generator) -> tuple[Tensor, ...]:
        """Draw which parts of each item are hidden from the model, about `share_B` (float, 0 = nothing) of each value.

        Every tensor has the items on its first axis. The numbers drawn do not depend on the shares.
        """

    @abstractmethod
    def hide(self, values: Tensor, *hidden: Tensor) -> Tensor:
        """Return `values` with what `draw_hidden` drew left unsaid."""

    # Tokens

    @abstractmethod
    def network(self, settings: Any, *, token_width: int, optional: bool, resolution: int) -> nn.Module:
        """Return the encoder: `channels(values, optional)` -> tokens (B, T, `token_width`)."""

    @abstractmethod
    def channels(self, values: Tensor, *, optional: bool) -> Tensor:
        """Return what the network reads, float or bool; `optional` adds what tells unsaid from absent."""

    @abstractmethod
    def places(self, settings: Any) -> list[tuple[float, float, float]]:
        """Return the place of each token: x and y of its centre in [0, 1] and 1, or (0, 0, 0) for the whole picture."""
