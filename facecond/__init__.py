"""facecond: latent diffusion of faces conditioned on attributes and semantic masks (arXiv 2306.00914).

`facecond.open` is the entry for programs. It is imported when it is asked for, so that `import facecond` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from facecond.assembly.session import open as open

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "open":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return importlib.import_module("facecond.assembly.session").open
