"""What judges say of synthesized faces."""

import numpy as np
import pytest

from facecond.assembly.synthesis import judged
from facecond.config.commands.synthesize import SynthesizeConfig
from facecond.faces.attributes import parse_attributes
from facecond.faces.names import CLASSES


@pytest.mark.parametrize(
    ("glasses", "told"), [(True, "Eyeglasses is not seen"), (False, "Eyeglasses is not seen, as in its map")]
)
def test_a_reason_says_whether_the_map_already_denied_what_was_asked_for(glasses: bool, told: str) -> None:
    labels = np.full((16, 16), CLASSES.index("skin"), dtype=np.uint8)
    if glasses:
        labels[4:6, 2:14] = CLASSES.index("eye_g")
    asked = parse_attributes("+Eyeglasses,+Smiling")
    found = parse_attributes("-Eyeglasses,+Smiling") > 0
    config = SynthesizeConfig(least_miou=0, least_attributes=0)
    assert judged(labels, None, asked, found, asked, config).reasons == [told]
    assert judged(None, None, asked, found, asked, config).reasons == ["Eyeglasses is not seen"]
    assert judged(labels, None, asked, found, np.zeros(40, np.int8), config).reasons == []  # nothing asked for by name
