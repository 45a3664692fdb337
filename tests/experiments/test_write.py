"""What stands below a reproduced table."""

from typing import Any

from facecond.experiments.write import how_sampled


def made_with(steps: int, **guidance: float) -> dict[str, Any]:
    return {"sampler": {"name": "ddim", "steps": steps, "eta": 1.0}, "guidance": guidance}


def test_samples_that_were_made_alike_are_described_once() -> None:
    alike = {"uncond": [made_with(20)], "multicond": [made_with(20, attributes=1.0, mask=1.0)] * 2}
    assert how_sampled(alike) == "ddim, 20 steps, no guidance"


def test_where_nothing_was_sampled_that_is_said() -> None:
    assert how_sampled({}) == "none"


def test_samples_that_were_not_are_described_with_their_variants() -> None:
    apart = {
        "uncond": [made_with(20)],
        "attr": [made_with(20, attributes=2.0)],
        "mask, pooled": [made_with(20, mask=2.0), made_with(50, mask=2.0)],
        "multicond": [made_with(20, attributes=2.0, mask=1.5)],
    }
    assert how_sampled(apart).split("; ") == [
        "ddim, 20 steps, no guidance (uncond)",
        "ddim, 20 steps, guidance 2 (attr and mask, pooled)",
        "ddim, 50 steps, guidance 2 (mask, pooled)",
        "ddim, 20 steps, guidance attributes 2, mask 1.5 (multicond)",
    ]
