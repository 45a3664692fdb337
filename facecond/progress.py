"""Progress of long work, on standard error, with the time left.

A terminal gets a live bar; a log file gets a line every half minute. `TQDM_DISABLE=1` silences both.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tqdm import tqdm


def bar(description: str, total: int, *, initial: int = 0, unit: str = "image") -> tqdm:
    """Return a progress bar over `total` units, `initial` of which are already done; call `.update(n)` and `.close()`."""
    from tqdm import tqdm

    live = sys.stderr.isatty()
    return tqdm(
        desc=description,
        total=total,
        initial=initial,
        unit=f" {unit}s",
        unit_scale=total > 99_999,
        dynamic_ncols=live,
        mininterval=0.2 if live else 30,
        file=sys.stderr,
        leave=not live,
    )
