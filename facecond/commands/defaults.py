"""Defaults that depend on pack and device, each with its reason: the size of a model."""

PER_DEVICE = {
    "cpu": ((64, "tiny"), (10_000, "small")),
    "cuda": ((64, "tiny"), (128, "base"), (10_000, "paper")),
}
"""For each kind of device: (largest resolution in pixels, size)."""


def choose_size(resolution: int, device: str) -> tuple[str, str]:
    """Return the size of model for a pack of `resolution` pixels on `device` ("cpu" or "cuda"), and the reason."""
    size = next(size for limit, size in PER_DEVICE[device] if resolution <= limit)
    where = "a GPU" if device == "cuda" else "no GPU"
    return size, f"for {resolution} px and {where}; name another with size="
