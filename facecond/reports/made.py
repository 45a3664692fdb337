"""How samples were made, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def sampler_text(sampler: Mapping[str, Any]) -> str:
    """A sampler in words, as it is recorded: "ddim, 20 steps, eta 0"."""
    return f"{sampler.get('name')}, {sampler.get('steps')} steps, eta {sampler.get('eta', 0):g}"


def made_text(made_with: Mapping[str, Any]) -> str:
    """`made_with` of a generation or of results in words: sampler, guidance, what was told as a judge reads it, precision."""
    parts = [sampler_text(made_with["sampler"])]
    if guidance := made_with.get("guidance"):
        parts.append("guidance " + ", ".join(f"{name} {weight:g}" for name, weight in guidance.items()))
    parts += [f"told {name} as {judge} reads it" for name, judge in (made_with.get("noisy") or {}).items()]
    return "; ".join([*parts, str(made_with.get("precision", ""))]).rstrip("; ")
