"""What `facecond eval` looks at: samples and variations, sampled or opened, real pictures, reconstructions, and the detectors."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond.assembly.session import Session, open_session
from facecond.commands.prepared import Prepared
from facecond.config.commands.evaluate import EvalConfig
from facecond.errors import ConfigError, DataError, nearest
from facecond.measuring.detectors import Candidates, load_detectors
from facecond.measuring.measure import RECONSTRUCTIONS, REFERENCE, SAMPLES, VARIATIONS, Measure
from facecond.measuring.table import MEASURES
from facecond.workspace.origin import Origin

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

    from facecond.measuring.evidence import Evidence
    from facecond.measuring.measure import Detector
    from facecond.measuring.pictures import Pictures
    from facecond.sampling.generation import Generation
    from facecond.sampling.plans import Prompt


log = logging.getLogger("facecond")


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring:
    """What is measured, and with what."""

    measures: dict[str, Measure]
    detectors: dict[str, Candidates]
    """What may serve as each detector that is needed, by its name in the configuration."""
    samples: Path | None
    """Samples that are there already."""
    origin: Origin | None = None
    """What samples come from; None for pictures of no model."""
    pack: Path | None = None
    """The pack whose own pictures are measured."""
    folders: dict[str, Path] = field(default_factory=dict)
    """Where samples and variations are, or will be, or the pictures of samples and reference; by the names of their sets."""

    def looks_at(self, which: str) -> bool:
        """Whether a measure looks at the set of pictures called `which`."""
        return any(which in measure.scores.sets for measure in self.measures.values())


def load_evidence(prepared: Prepared[EvalConfig, Measuring]) -> tuple["Evidence", dict[str, Any]]:
    """Load the detectors, so that a wrong one costs nothing; sample what is missing. Return also what made the samples.

    What cannot be measured without a detector that is missing leaves `prepared.found.measures`.
    """
    import numpy as np

    from facecond.data.pack import Pack
    from facecond.measuring.evidence import Evidence
    from facecond.measuring.items import RealItems, SampledItems
    from facecond.measuring.measure import REAL
    from facecond.measuring.pictures import Pictures, Reconstructed, Rows
    from facecond.training.device import choose_device

    config, found, kept = prepared.config, prepared.found, Path(prepared.config.workspace) / "features"
    sets: dict[str, Pictures]
    if found.pack is not None:
        pack = Pack.open(found.pack)
        found, detectors = _loaded(prepared, choose_device(config.device, prepared.processes))
        _warn_of_fewer(prepared, len(pack.indices("validation")))
        own = RealItems(pack=pack, seed=config.seed, items=pack.indices("validation")[: config.count])
        pictures = Rows(pack.images, own.items, pack.manifest["sha256"]["images.npy"])
        words = f"validation split of {pack.path.name}"
        sets = {SAMPLES: pictures, REFERENCE: pictures}
        return Evidence(sets=sets, detectors=detectors, reference=words, items=own, kept=kept), {}
    if found.origin is None:
        files = {which: pictures_in(folder) for which, folder in found.folders.items()}
        found, detectors = _loaded(prepared, choose_device(config.device, prepared.processes))
        words = str(found.folders[REFERENCE])
        return Evidence(sets=files, detectors=detectors, reference=words, kept=kept), {}
    session = open_session(found.origin, config, processes=prepared.processes)
    found, detectors = _loaded(prepared, session.generator.device)
    pack, told = session.pack, bool(session.generator.conditioner.names)
    name, held_out = pack.manifest["sha256"]["images.npy"], pack.indices("validation")
    if told and found.samples is None:
        _warn_of_fewer(prepared, len(held_out))
    sets = {REFERENCE: Rows(pack.images, held_out, name)}
    items, groups, made_with = None, None, session.made_with
    real = Rows(pack.images, held_out[: config.count] if told else held_out, name)
    if found.looks_at(SAMPLES) or found.samples is not None:
        samples = _samples(found, session, detectors)
        sets[SAMPLES], made_with = Rows(samples.images, np.arange(len(samples.images))), samples.made_with
        if told:
            items = SampledItems(pack=pack, samples=samples, seed=config.seed, read_by=noisy(config, detectors))
            real = Rows(pack.images, items.unique, name)
    if found.looks_at(VARIATIONS):
        made = samples if found.samples is not None else _variations(found, session, detectors)
        varied = SampledItems(pack=pack, samples=made, read_by=noisy(config, detectors))
        sets[VARIATIONS], groups = Rows(varied.samples.images, varied.grouped), varied.places[varied.grouped]
        items = items or varied
    if items is not None and items.noisy:
        made_with = made_with | {"noisy": dict(items.noisy)}
    sets[REAL] = real
    sets[RECONSTRUCTIONS] = Reconstructed(real, _round_trip(session), session.generator.first_stage.sha256)
    evidence = Evidence(
        sets=sets,
        detectors=detectors,
        reference=f"validation split of {pack.path.name}",
        items=items,
        varied=groups,
        kept=kept,
    )
    return evidence, made_with


def _warn_of_fewer(prepared: Prepared[EvalConfig, Measuring], there: int) -> None:
    """Say when more conditions were asked for than the validation split holds."""
    config, found = prepared.config, prepared.found
    looks = {
        "count": found.looks_at(SAMPLES) or found.looks_at(RECONSTRUCTIONS),
        "conditions": found.looks_at(VARIATIONS),
    }
    for key, looked_at in looks.items():
        if looked_at and prepared.composed.given(key) and getattr(config, key) > there:
            log.warning(
                "warning: %s=%d, and the validation split holds %d: all of it", key, getattr(config, key), there
            )


def _loaded(
    prepared: Prepared[EvalConfig, Measuring], device: "torch.device"
) -> tuple[Measuring, dict[str, "Detector"]]:
    """Load the detectors. Measures that have none, in any process, leave what is measured, and the results' name says so."""
    found, config = prepared.found, prepared.config
    also = readers(config.noisy).values()
    had, detectors = load_detectors(found.measures, found.detectors, config, device, prepared.used, also=also)
    gone = prepared.processes.any([name not in had for name in found.measures])
    if without := [name for name, is_gone in zip(found.measures, gone, strict=True) if is_gone]:
        measures = {name: each for name, each in found.measures.items() if name not in without}
        prepared.found = replace(found, measures=measures)
        prepared.name += f"-without-{'-'.join(without)}"
    return prepared.found, detectors


def pictures_in(folder: Path) -> "Pictures":
    """The pictures in a folder; of a pack, those of its validation split. Raises DataError when there are fewer than two."""
    from facecond.data.pack import Pack
    from facecond.measuring.pictures import Files, Rows

    if not (folder / "manifest.json").is_file():
        return Files.of(folder)
    pack = Pack.open(folder)
    held_out = pack.indices("validation")
    if len(held_out) < 2:
        raise DataError(
            f"{folder}: the validation split holds {len(held_out)} picture{'' if len(held_out) == 1 else 's'}",
            hint="a distribution needs at least two, and hundreds to mean something",
        )
    return Rows(pack.images, held_out, pack.manifest["sha256"]["images.npy"])


def readers(conditions: Sequence[str]) -> dict[str, str]:
    """The detector that reads each of `conditions` off a picture. Raises ConfigError for one that none reads."""
    able = {each.scores.condition: each.scores.detector for each in MEASURES.values() if each.scores.condition}
    found = {}
    for name in conditions:
        if (kind := able.get(name)) is None:
            hint = nearest(name, [each for each, kind in able.items() if kind])
            raise ConfigError(f"noisy={name}: no judge reads that off a picture", hint=hint)
        found[name] = kind
    return found


def noisy(config: EvalConfig, detectors: "Mapping[str, Detector]") -> dict[str, str]:
    """Condition of `config.noisy` -> the judge that reads it, in words, with the SHA-256 of its weights."""
    judges = {name: detectors[kind] for name, kind in readers(config.noisy).items()}
    return {name: f"{judge.name} ({judge.sha256[:12]})" for name, judge in judges.items()}


def _prompts(session: Session[EvalConfig], detectors: "Mapping[str, Detector]") -> "Callable[[int], Prompt]":
    """What the model is told for each place of the plan: a validation item's conditions, those of `noisy` as judges see them."""
    import numpy as np

    from facecond.measuring.pictures import PIECE

    if not session.generator.conditioner.names:
        nothing = session.read({})
        return lambda place: nothing
    judges, pack = readers(session.config.noisy), session.pack
    held_out = pack.indices("validation")

    @lru_cache(maxsize=1)
    def seen(piece: int) -> "dict[str, NDArray[Any]]":
        """What the judges see in the real pictures of one piece, all of them together."""
        real = np.asarray(pack.images[held_out[piece * PIECE : (piece + 1) * PIECE]])
        return {name: said(detectors[kind](real)) for name, kind in judges.items()}

    def prompt(place: int) -> "Prompt":
        piece, row = divmod(place, PIECE)
        values = {name: values[row] for name, values in seen(piece).items()} if judges else {}
        return session.prompt(place, values, how="as a judge reads it off the picture")

    def said(seen: "NDArray[Any]") -> "NDArray[Any]":
        """As a condition has it: there or not there is 1 or -1, since 0 says nothing."""
        return np.where(seen, 1, -1).astype(np.int8) if seen.dtype == np.bool_ else seen

    return prompt


def _samples(found: Measuring, session: Session[EvalConfig], detectors: "Mapping[str, Detector]") -> "Generation":
    """Sample the validation conditions, or open the samples named. Raises DataError for those of other weights or faces."""
    from facecond.sampling.generation import open_generation
    from facecond.sampling.plans import Lazy, one_each

    if found.samples is None:
        count = session.config.count
        if session.generator.conditioner.names:
            count = min(count, len(session.pack.indices("validation")))
        plan = one_each(Lazy(count, _prompts(session, detectors)), session.config.seed)
        return session.generate(plan, found.folders[SAMPLES], about=_about(session, detectors))
    made = open_generation(found.samples)
    if made.made_with["weights"] != session.generator.sha256:
        raise DataError(
            f"{made.folder} was sampled from other weights than those of {session.run.path}",
            hint="name that run: run=...",
        )
    if made.about.get("pack", session.pack_sha256) != session.pack_sha256:
        raise DataError(
            f"{made.folder} has the conditions of another pack than {session.pack.path}",
            hint="name that pack: pack=...",
        )
    return made


def _variations(found: Measuring, session: Session[EvalConfig], detectors: "Mapping[str, Detector]") -> "Generation":
    """Sample several pictures of each of the first validation conditions."""
    from facecond.sampling.plans import Lazy, several

    config = session.config
    count = min(config.conditions, len(session.pack.indices("validation")))
    plan = several(Lazy(count, _prompts(session, detectors)), config.variations, config.seed)
    return session.generate(plan, found.folders[VARIATIONS], about=_about(session, detectors))


def _about(session: Session[EvalConfig], detectors: "Mapping[str, Detector]") -> dict[str, Any]:
    """What is kept beside samples: which conditions they are told as a judge reads them, and which judge."""
    told = noisy(session.config, detectors)
    return {"noisy": told} if told else {}


def _round_trip(session: Session[EvalConfig]) -> "Callable[[NDArray[np.uint8]], NDArray[np.uint8]]":
    """Pictures, uint8 (n, H, W, 3), to what the first stage makes of them."""
    import torch

    stage, device = session.generator.first_stage, session.generator.device

    def reconstruct(images_NHWC: "NDArray[np.uint8]") -> "NDArray[np.uint8]":
        with torch.inference_mode():
            return stage.decode(stage.encode(torch.from_numpy(images_NHWC).to(device).permute(0, 3, 1, 2)))

    return reconstruct
