"""Of what use are synthesized faces? Judges trained on them, beside judges trained on real ones, tested on real faces.

Four sets: all real faces, few of them, synthesized ones, and the few with the synthesized ones. All judges see as many pictures
while they are trained; those of two more rows see as many again, all of them of the few: one begins from the judge of the
synthesized faces, the other, beside which it is to be read, from the judge of the few. The synthesized faces are told attributes
and maps of the few alone, and are accepted or rejected by the judges that learnt from the few with the first seed, so that no label
of another real face is used after the generator was trained.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from facecond.commands import eval as evaluate
from facecond.commands import synthesize, train
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.base import NO_JUDGE
from facecond.config.compose import compose
from facecond.data.mixing import Part
from facecond.errors import ConfigError, DataError
from facecond.experiments import table
from facecond.experiments.plan import override
from facecond.experiments.studies import Findings
from facecond.experiments.table import Number
from facecond.io.results import Figure, read_results
from facecond.io.runs import WEIGHTS
from facecond.reports.tables import MISSING
from facecond.rng import numpy_generator
from facecond.workspace.find import RunInfo, find_pack, find_run, read_run
from facecond.workspace.learnt import faces_of
from facecond.workspace.origin import own_pack

if TYPE_CHECKING:
    from facecond.config.commands.data import DrawConfig
    from facecond.config.commands.whole import ReproduceConfig
    from facecond.config.reproduce import StudyConfig
    from facecond.data.pack import Pack
    from facecond.experiments.studies import Rows, Work

REAL, SYNTHETIC, FEW, BOTH = "real", "synthetic", "few real", "few real + synthetic"
THEN, TWICE = "synthetic, then few real", "few real, twice as long"
SETS = (REAL, SYNTHETIC, FEW, BOTH, TWICE, THEN)
"""What judges are trained on."""

BEFORE = {TWICE: FEW, THEN: SYNTHETIC}
"""Those whose judges learn from the few -> whose judge they begin from."""

PAIRS = ((BOTH, FEW), (THEN, TWICE), (TWICE, FEW), (SYNTHETIC, REAL), (SYNTHETIC, FEW), (BOTH, REAL))
"""Whose difference is shown, the first less the second."""

MEASURES = {"parser": CONDITIONS[Mask.name].measures, "classifier": CONDITIONS[Attributes.name].measures}
"""What is measured of each kind of judge."""

Measured = Mapping[str, Mapping[int, Sequence[Figure]]]
"""Set -> seed -> figures."""


def plan(work: Work) -> None:
    """Note the commands; packs that are mixed of others are made in between."""
    packs = {name: work.workspace / "packs" / f"{work.name}-{_word(name)}" for name in (REAL, SYNTHETIC, FEW, BOTH)}
    packs |= dict.fromkeys(BEFORE, packs[FEW])
    work.faces(drawing(work.study), f"{work.name}-faces")
    for kind in MEASURES:
        for seed in work.study.seeds:
            _train(work, kind, FEW, packs[FEW], seed)
    _synthesize(work, packs[FEW], [*MEASURES])
    for kind in MEASURES:
        for name in SETS:
            for seed in work.study.seeds:
                run = _train(work, kind, name, packs[name], seed)
                words = _testing(work, kind, packs[REAL], run, work.study.test)
                work.command(f"test the {kind} of {name}, seed {seed}", evaluate, words)


def made(work: Work) -> Findings:
    """Do it."""
    from facecond.data.pack import Pack

    study = work.study
    faces = work.faces(drawing(work.study), f"{work.name}-faces")
    base = Pack.open(faces)
    unseen = _check_held_out(_studied(work), base, work.config.workspace)
    train_items, test_items = base.indices("train"), base.indices("validation")
    order = numpy_generator(0, "study", len(train_items)).permutation(train_items)
    real = np.sort(order[: study.real or len(order)])
    few = np.sort(order[: max(1, round(study.share * len(real)))])
    test = Part(faces, test_items, "validation", "test")
    packs = {
        name: work.mixed(f"{work.name}-{_word(name)}", [Part(faces, items, "train", "real"), test])
        for name, items in ((REAL, real), (FEW, few))
    }
    kinds = [*MEASURES] if base.attributes[real].any() else ["parser"]
    for kind in kinds:
        for seed in study.seeds:
            _train(work, kind, FEW, packs[FEW], seed)
    synthesized = Path(_synthesize(work, packs[FEW], kinds)["pack"])
    accepted = Pack.open(synthesized)
    own = Part(synthesized, accepted.indices("train"), "train", "synthesized")
    packs[SYNTHETIC] = work.mixed(f"{work.name}-{_word(SYNTHETIC)}", [own, test])
    packs[BOTH] = work.mixed(f"{work.name}-{_word(BOTH)}", [Part(faces, few, "train", "real"), own, test])
    packs |= dict.fromkeys(BEFORE, packs[FEW])
    measured: dict[str, dict[int, list[Figure]]] = {name: {seed: [] for seed in study.seeds} for name in SETS}
    for kind in kinds:
        for name in SETS:
            for seed in study.seeds:
                run = _train(work, kind, name, packs[name], seed)
                measured[name][seed] += _test(work, kind, name, packs[REAL], run, seed, len(test_items))
    counts = {
        REAL: (len(real), 0),
        SYNTHETIC: (0, len(own.items)),
        FEW: (len(few), 0),
        BOTH: (len(few), len(own.items)),
        TWICE: (len(few), 0),
        THEN: (len(few), len(own.items)),
    }
    tables = {"Tested on real faces": overview(measured, counts), "Differences": differences(measured)}
    tables |= {f"Each class: {heading}": rows for heading, rows in of_classes(measured).items()}
    return Findings(tables=tables, notes=_notes(work, len(test_items), len(accepted), unseen=unseen))


def check(config: ReproduceConfig, run: Path) -> None:
    """Refuse a run that cannot synthesize such faces, or that learnt from those that test the judges, before any is trained.

    Raises ConfigError, and what `facecond synthesize` raises.
    """
    from facecond.data.pack import Pack

    info, study = read_run(run), config.study
    told = info.config["model"]["conditions"]
    if not told or not {*told} <= {Attributes.name, Mask.name}:
        raise ConfigError(
            f"study.run={run.name} is told {', '.join(told) or 'nothing'}: faces that are to be labelled are told attributes, "
            "maps or both",
            hint="name another run: study.run=RUN",
        )
    pack = None if config.pack is None else find_pack(config.workspace, config.pack).path
    if pack is not None:
        faces = Pack.open(pack)
        _check_size(info, str(pack), faces.resolution)
        for split in ("train", "validation"):
            if not len(faces.indices(split)):
                raise DataError(f"{pack} has no {split} faces", hint="name a pack with both: pack=NAME")
        _check_held_out(info, faces, config.workspace)
    else:
        drawn: DrawConfig = compose("data draw", drawing(study)).config
        _check_size(info, "study.draw", drawn.resolution)
    known = pack or (own.path if (own := own_pack(info, config.workspace)) is not None else None)
    if known is not None:  # what the command itself refuses; judges and labels are only there later
        words = [
            override("run", str(run)),
            override("pack", str(known)),
            "split=train",
            *study.synthesize,
            *study.sampling,
        ]
        later = [f"{kind}={NO_JUDGE}" for kind in MEASURES]
        synthesize.prepare([*words, *later, "forms=[imagefolder]", override("workspace", config.workspace)])


def _check_size(info: RunInfo, what: str, resolution: int) -> None:
    if resolution != (own := info.content["resolution"]):
        raise ConfigError(
            f"{what}: faces of {resolution} px, and {info.path.name} makes faces of {own} px",
            hint="name a pack or a run that fits: pack=NAME, study.run=RUN",
        )


def _check_held_out(info: RunInfo, faces: Pack, workspace: str) -> bool:
    """Whether it is known that the model learnt from none of the faces that test the judges. ConfigError where it did."""
    from facecond.data.learnt import count_learnt

    noted = faces_of(info, workspace)
    if noted is None:
        return False
    test = faces.indices("validation")
    if met := count_learnt([noted], faces, test):
        raise ConfigError(
            f"{info.path.name} learnt from {met} of the {len(test)} validation faces of {faces.path}, which are to test the judges",
            hint="name another pack or another run: pack=NAME, study.run=RUN",
        )
    return info.content["sha256 of the initial weights"] is None


def drawing(study: StudyConfig) -> list[str]:
    """Words that the faces are drawn with."""
    return [f"data.count={(study.real or 4096) + study.test}", f"data.validation={study.test}", *study.draw]


def _studied(work: Work) -> RunInfo:
    return read_run(find_run(work.config.workspace, work.study.run, "diffusion").path)


def _word(name: str) -> str:
    return name.replace(" + ", "-and-").replace(", ", "-").replace(" ", "-")


def _train(work: Work, kind: str, name: str, pack: Path, seed: int) -> Path:
    """Train a judge on a set, beginning from another one's where `BEFORE` says so; return its run."""
    words = list(getattr(work.study, kind))
    if name in BEFORE:
        before = override("init", str(_run(work, kind, BEFORE[name], seed) / WEIGHTS))
        words = [*(word for word in words if word.partition("=")[0] != "init"), before]
    run = _run(work, kind, name, seed)
    words = [
        f"model={kind}", *words, f"trainer.seed={seed}", override("name", run.name), override("pack", str(pack)), *work.computing,
    ]  # fmt: skip
    work.command(f"train a {kind} on {name}, seed {seed}", train, words)
    return run


def _run(work: Work, kind: str, name: str, seed: int) -> Path:
    return work.workspace / "runs" / f"{work.name}-{kind}-{_word(name)}-s{seed}"


def _synthesize(work: Work, few: Path, kinds: Sequence[str]) -> dict[str, str]:
    """Synthesize faces that are told what the few show; judged by what learnt from the few."""
    study = work.study
    run = find_run(work.config.workspace, study.run, "diffusion").path
    own = {kind: str(_run(work, kind, FEW, study.seeds[0])) for kind in kinds}
    judges = [override(kind, own.get(kind, NO_JUDGE)) for kind in MEASURES]
    words = [
        f"count={study.count}", override("run", str(run)), override("pack", str(few)), "split=train", "validation=0",
        "forms=[pack]", *judges, *study.synthesize, *study.sampling, override("name", f"{work.name}-faces"), *work.computing,
    ]  # fmt: skip
    return work.command("synthesize faces", synthesize, words)


def _test(work: Work, kind: str, name: str, pack: Path, run: Path, seed: int, count: int) -> Sequence[Figure]:
    """Measure how well a judge reads the real faces that nobody learnt from."""
    words = _testing(work, kind, pack, run, count)
    done = work.command(f"test the {kind} of {name}, seed {seed}", evaluate, words)
    return read_results(Path(done["results"])).figures


def _testing(work: Work, kind: str, pack: Path, run: Path, count: int) -> list[str]:
    return [
        override("measures", list(MEASURES[kind])), override("samples", str(pack)), override(kind, str(run)), f"count={count}",
        *work.computing,
    ]  # fmt: skip


def number(figures: Sequence[Figure]) -> Number:
    """A figure of each seed as their mean with Student's interval; of one seed with its own interval, over test faces."""
    if len(figures) > 1:
        return table.over_seeds([figure.value for figure in figures])
    return Number(figures[0].value, figures[0].spread, "test faces")


def of_name(by_seed: Mapping[int, Sequence[Figure]], name: str) -> list[Figure]:
    """The figure called `name` of each seed that has it."""
    return [figure for figures in by_seed.values() for figure in figures if figure.name == name]


def _names(measured: Measured) -> dict[str, str]:
    """The figures there are, with their headings."""
    every = [figure for by_seed in measured.values() for figures in by_seed.values() for figure in figures]
    return {figure.name: figure.heading for figure in every}


def overview(measured: Measured, counts: Mapping[str, tuple[int, int]]) -> Rows:
    """Head row, then a row for each set: faces it holds, and each figure."""
    names = _names(measured)
    rows = [["trained on", "real faces", "synthesized faces", *names.values()]]
    for name, by_seed in measured.items():
        cells = [str(number(found)) if (found := of_name(by_seed, each)) else MISSING for each in names]
        rows.append([name, *map(str, counts[name]), *cells])
    return rows


def differences(measured: Measured) -> Rows:
    """Head row, then for each of `PAIRS` and each figure the difference, in pairs of seeds, and whether it is decided."""
    rows = [["difference", "figure", "value", "interval over", "decided"]]
    for one, other in PAIRS:
        for name, heading in _names(measured).items():
            pairs = [
                (a.value, b.value)
                for seed in measured[one]
                for a in of_name({seed: measured[one][seed]}, name)
                for b in of_name({seed: measured[other][seed]}, name)
            ]
            apart = [a - b for a, b in pairs]
            if not apart:
                continue
            found = table.over_seeds(apart) if len(apart) > 1 else Number(apart[0], None, "-")
            rows.append([f"{one} less {other}", heading, str(found), found.over, table.said(found)])
    return rows


def of_classes(measured: Measured) -> dict[str, Rows]:
    """For each figure that has values per class: a row for each class, a column for each set."""
    found: dict[str, Rows] = {}
    for name, heading in _names(measured).items():
        by_set = {each: of_name(by_seed, name) for each, by_seed in measured.items()}
        classes = list(
            dict.fromkeys(value.name for figures in by_set.values() for figure in figures for value in figure.classes)
        )
        if not classes:
            continue
        rows = [["class", "test faces", *by_set]]
        for each in classes:
            cells, count = [], MISSING
            for figures in by_set.values():
                values = [value for figure in figures for value in figure.classes if value.name == each]
                known = [value.value for value in values if value.value is not None and math.isfinite(value.value)]
                count = str(values[0].count) if values else count
                cells.append(
                    MISSING
                    if not known
                    else str(table.over_seeds(known) if len(known) > 1 else Number(known[0], None, "-"))
                )
            rows.append([each, count, *cells])
        found[heading] = rows
    return found


def _notes(work: Work, tested: int, accepted: int, *, unseen: bool) -> list[str]:
    study = work.study
    run = find_run(work.config.workspace, study.run, "diffusion").path
    return [
        f"Tested on {tested} real faces that neither judges nor the synthesized set saw; "
        f"{accepted} of {study.count} synthesized faces were accepted.",
        f"Generator: {run.name}. What it learnt from before counts too: it is not among the real faces of a row.",
        "It learnt from none of the faces that test the judges."
        if unseen
        else "Caution: whether it learnt from faces that test the judges is not known: its pack, or what it began from, is gone.",
        "Synthesized faces are told attributes and maps of the few real ones alone, and judged by judges that learnt from the few.",
        f"±: half of the 95 % interval over {len(study.seeds)} seeds of training (Student); with one seed over test faces.",
        "Every judge saw as many pictures while it was trained, whatever the size of its set; "
        + ", ".join(f"“{name}” began from the judge of “{before}”" for name, before in BEFORE.items())
        + ", and saw as many again.",
    ]
