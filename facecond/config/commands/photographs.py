"""Pictures read and changed: `facecond parse` and `edit`."""

from dataclasses import dataclass, field
from enum import Enum
from math import floor, log10
from pathlib import Path

from facecond.bounds import bounded, with_fields
from facecond.config.commands.base import CommandConfig, Device, GenerateConfig, by_hand, launched, said_by_hand
from facecond.errors import ConfigError


class Align(Enum):
    """Which photographs are brought into the frame of CelebA-HQ."""

    auto = "auto"
    always = "always"
    never = "never"


class EditMethod(Enum):
    """How a picture is led back to noise."""

    friendly = "friendly"
    """Edit-friendly DDPM inversion: noise of its own at every step keeps much of the picture's layout."""
    ddim = "ddim"
    """DDIM's steps backwards."""
    sdedit = "sdedit"
    """Noise is put over the picture, which then is sampled on; it keeps less the stronger it is."""


@with_fields(launched())
@dataclass(kw_only=True, slots=True)
class ParseConfig(CommandConfig):
    """`facecond parse`: photographs become aligned faces with label maps, and attributes."""

    photos: list[str] = field(default_factory=list)
    """Pictures, and folders of pictures."""
    device: Device = Device.auto
    """auto = the first CUDA device when there is one."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch; none = the latest run."""
    classifier: str | None = None
    """Run of `model=classifier`; null = the latest run, if there is one; none = no attributes."""
    resolution: int | None = bounded(None, minimum=16, maximum=1024)
    """Height and width of the pictures and label maps written, pixels; null = what the parser learnt at."""
    align: Align = Align.auto
    """auto = lay a frame by eyes and mouth, as CelebA-HQ does, unless the picture is framed so already; always = lay it in any
    case; never = take the central square."""
    sheet: int = bounded(24, minimum=0, maximum=200)
    """Photographs on the contact sheet; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/parsed; none = the first photograph or folder, and the resolution."""


@with_fields(by_hand())
@dataclass(kw_only=True, slots=True)
class EditConfig(GenerateConfig):
    """`facecond edit`: photographs, or people of a pack, changed in one respect and left alone in all others.

    Attributes by hand should hold afterwards, all others stay as they are seen; so do the parts of a label map by hand that are
    255.
    """

    def given(self) -> dict[str, str]:
        """What should hold afterwards: condition -> text."""
        return said_by_hand(self)

    photos: list[str] = field(default_factory=list)
    """Pictures, and folders of pictures."""
    items: list[int] = field(default_factory=list)
    """Validation items (0, 1, ...) of the pack to change, in place of photographs."""
    paint: list[str] = field(default_factory=list)
    """Parts to take from other label maps, for example hair=other.png."""
    region: list[str] = field(default_factory=list)
    """Parts that may change in any case, `background`, or `all`; beside these, the region follows from what is asked for."""
    method: EditMethod = EditMethod.friendly
    """How the picture is led back to noise."""
    strength: float = bounded(0.8, minimum=0.0, maximum=1.0)
    """Share of the sampling steps that are taken again, at least one: 0 changes nothing, 1 begins at noise."""
    blend: bool = True
    """Keep the picture's own latents outside of the region at every step, so that what is inside fits in."""
    grow: float = bounded(0.02, minimum=0.0, maximum=0.5)
    """How far the region reaches beyond what changes, as a share of the face's side."""
    feather: float = bounded(0.03, minimum=0.0, maximum=0.5)
    """How far inside its border the region shows the edit in full, as a share of the face's side; outside of it no byte changes."""
    parser: str | None = None
    """Run of `model=parser`, or BiSeNet weights of face-parsing.PyTorch, that reads photographs; none = the latest run."""
    classifier: str | None = None
    """Run of `model=classifier` that reads photographs; none = the latest run."""
    maps: str | None = None
    """Run of `model=maps` that draws anew what an attribute changes of the label map; null = the latest that fits, if there is
    one; none = leave it open."""
    align: Align = Align.auto
    """auto = lay a frame by eyes and mouth unless the picture is framed as CelebA-HQ is; always = lay it in any case; never = take
    the central square."""
    sheet: int = bounded(24, minimum=0, maximum=200)
    """Pictures shown on the sheet of before and after; 0 = no sheet."""
    name: str | None = None
    """Name of the folder in WORKSPACE/edits; none = made from the run and what is asked for."""

    def steps_back(self) -> int:
        """Sampling steps that are taken again. Raises ConfigError for a strength above 0 that takes none."""
        count = round(self.strength * self.sampler.steps)
        if self.strength > 0 and count == 0:
            raise ConfigError(
                f"strength={self.strength:g} takes none of sampler.steps={self.sampler.steps} again, and would change nothing",
                hint=f"at least {_least(self.sampler.steps):g} takes one; 0 says that nothing is to change",
            )
        return count

    def painted(self) -> list[tuple[str, Path]]:
        """Parts, and the label maps they are taken from. Raises ConfigError for what names none."""
        pairs = [(text.partition("=")[0], text.partition("=")[2]) for text in self.paint]
        for text, pair in zip(self.paint, pairs, strict=True):
            if not all(pair):
                raise ConfigError(f"paint={text} names no part and map", hint="write it like paint=['hair=other.png']")
        return [(part, Path(file)) for part, file in pairs]


def _least(steps: int) -> float:
    """The least strength, to three digits, of which one of `steps` is taken."""
    half = 0.5 / steps
    digit = 10.0 ** (floor(log10(half)) - 2)
    return (floor(half / digit + 1e-9) + 1) * digit
