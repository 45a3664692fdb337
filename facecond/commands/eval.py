"""`facecond eval`: how well samples obey their conditions, beside the ceiling (real pictures) and the floor."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from facecond.assembly.session import Session, open_session
from facecond.commands.generate import generation_key, items_plan, prepare_generation, short_hash
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.conditions.table import CONDITIONS
from facecond.config.commands import NO_FIRST_STAGE, EvalConfig
from facecond.config.compose import Composed, compose
from facecond.config.recorded import plain
from facecond.errors import ConfigError, DataError, NotBuiltError, nearest
from facecond.io.files import sha256_file
from facecond.io.results import Figure
from facecond.sampling.folder import read_manifest
from facecond.workspace.find import Found, find_run, read_run
from facecond.workspace.judges import choose_judge, images_seen
from facecond.workspace.origin import Origin, weights_file

log = logging.getLogger("facecond")

LATER = ("fid", "kid", "lpips")
"""Measures of the paper that need weights this version does not bring."""

WHOLE = {"parser": ("miou", "accuracy"), "classifier": ("attributes",)}
"""Measures each judge is needed for."""


JUDGED = {measure: name for name, condition in CONDITIONS.items() for measure in condition.measures}
"""The condition whose values each measure asks after."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Measuring(Origin):
    """What samples come from, what is measured, and with what."""

    metrics: list[str]
    judges: dict[str, Path]
    """Runs or weights files: parser, classifier, as far as they are needed."""
    samples: Path | None
    """Samples that are there already."""
    folder: Path
    """Where the samples are, or will be."""


def prepare(words: Sequence[str]) -> Prepared[EvalConfig, Measuring]:
    """Check the measures first; find run, samples and judges."""
    composed = compose("eval", words)
    typed: EvalConfig = composed.config
    metrics = _metrics(typed.metrics)
    samples, made_with = None, None
    if typed.samples is not None:
        _check_only_measuring(composed)
        samples = _samples_folder(typed)
        made_with = read_manifest(samples)["made_with"]
    prepared = prepare_generation("eval", words, made_with=made_with)
    config = prepared.config
    conditions = prepared.found.conditions
    for metric, condition in JUDGED.items():
        if metric in metrics and condition not in conditions:
            raise ConfigError(
                f"{metric} asks whether samples follow their {condition}, but {prepared.name} is not conditioned on it",
                hint="measure something else, or name another run: run=...",
            )
    if "reconstruction" in metrics and str(prepared.found.first_stage) == NO_FIRST_STAGE:
        raise ConfigError(f"{prepared.name} has no first stage to reconstruct with", hint="measure something else")
    judges: dict[str, Path] = {}
    for kind, measures in WHOLE.items():
        if set(measures) & set(metrics):
            found = _judge(config, kind, prepared.found.pack)
            judges[kind] = found.path
            prepared.used[kind] = str(found)
    if samples is not None:
        prepared.used["samples"] = f"{samples} (named)"
    origin = prepared.found
    plan = items_plan(origin) | {"told": conditions, "samples": 1}
    key = generation_key(origin, config, plan)
    folder = samples or Path(config.workspace) / "samples" / f"{prepared.name}-conditions-{key}"
    hashes = {
        kind: sha256_file(place / "weights.safetensors" if place.is_dir() else place) for kind, place in judges.items()
    }
    name = f"{prepared.name}-eval-{short_hash([str(folder), config.count, metrics, hashes])}"
    measuring = Measuring(
        run=origin.run, pack=origin.pack, weights=origin.weights, first_stage=origin.first_stage,
        metrics=metrics, judges=judges, samples=samples, folder=folder,
    )  # fmt: skip
    return Prepared(composed=prepared.composed, name=name, found=measuring, used=prepared.used)


def _judge(config: EvalConfig, kind: str, pack: Path) -> Found:
    """The judge that is named, or the one made for this pack."""
    from facecond.data.pack import Pack

    named = getattr(config, kind)
    if named is None:
        return choose_judge(config.workspace, kind, Pack.open(pack))
    if Path(named).is_file():
        return Found(Path(named), "named")
    run = find_run(config.workspace, named, kind).path
    weights_file(read_run(run))
    return Found(run, f"named, {images_seen(run)} images seen")


def run(prepared: Prepared[EvalConfig, Measuring]) -> Result:
    """Sample what is missing, judge, and write results.json and a Markdown table."""
    from facecond.io.files import atomic_write
    from facecond.io.results import write_results
    from facecond.reports.tables import report_markdown

    prepared.announce()
    config = prepared.config
    session = open_session(prepared.found, config, processes=prepared.processes)
    evidence = gather(prepared, session, _load_judges(prepared, session))
    figures: list[Figure] = []

    def measure() -> None:
        for metric in prepared.found.metrics:
            known = {figure.name for figure in figures}
            figures.extend(figure for figure in MEASURES[metric](evidence) if figure.name not in known)

    prepared.processes.first_does(measure)
    for caution in dict.fromkeys(figure.caution for figure in figures if figure.caution):
        headings = ", ".join(figure.heading for figure in figures if figure.caution == caution)
        log.warning("warning: %s: %s", headings, caution)
    if not prepared.processes.first:  # it helped to sample
        return Result(command="eval", used=prepared.used)
    folder = Path(config.workspace) / "results" / prepared.name
    about = {"command": "eval", "used": prepared.used, "config": plain(config), "made_with": evidence.made_with}
    write_results(folder / "results.json", figures, about=about)
    with atomic_write(folder / "results.md") as temporary:
        temporary.write_text(report_markdown(figures, prepared.used), encoding="utf-8")
    made = {"results": folder / "results.json", "table": folder / "results.md", "samples": evidence.folder}
    return Result(command="eval", used=prepared.used, figures=figures, made=made)


@dataclass
class Evidence:
    """Samples, the real pictures behind their conditions, and judges; what is needed twice is computed once."""

    session: Session[EvalConfig]
    prepared: Prepared[EvalConfig, Measuring]
    folder: Path
    made_with: dict[str, Any]
    samples: Any
    """uint8 (N, H, W, 3)."""
    places: Any
    """int64 (N,), index of each condition's item in the pack."""
    asked: dict[str, Any]
    """Condition -> values (N, ...) the samples were asked to have, for the conditions that measures ask after."""
    judges: dict[str, Any]
    """Loaded judges: parser, classifier, as far as they are needed."""

    @property
    def reference(self) -> str:
        """Words for the results."""
        return f"validation split of {self.session.pack.path.name}, {len(set(self.places.tolist()))} items"

    @cached_property
    def real(self) -> Any:
        """The real pictures."""
        import numpy as np

        return np.asarray(self.session.pack.images[self.places])

    @cached_property
    def reconstructed(self) -> Any:
        """The real pictures after a round trip through the first stage: what no sample can surpass by much."""
        import numpy as np
        import torch

        stage, device = self.session.generator.first_stage, self.session.generator.device
        found = []
        with torch.inference_mode():
            for start in range(0, len(self.real), 64):
                images = torch.from_numpy(self.real[start : start + 64]).to(device).permute(0, 3, 1, 2)
                found.append(stage.decode(stage.encode(images)))
        return np.concatenate(found)

    @cached_property
    def partner(self) -> Any:
        """For each sample another sample, whose condition is the floor."""
        import numpy as np

        from facecond.metrics.resampling import derangement

        _, first, person = np.unique(self.places, return_index=True, return_inverse=True)
        return first[derangement(len(first), self.session.config.seed)[person]]

    def _under(self, kind: str) -> Any:
        """Circumstances of what a judge says."""
        from facecond.metrics.figures import Circumstances

        judge = self.judges[kind]
        return Circumstances(
            reference=self.reference, preprocessing="uint8 as sampled", judge=judge.name, judge_hash=judge.sha256,
            caution=self._caution(judge),
        )  # fmt: skip

    def _caution(self, judge: Any) -> str:
        """Say when the judge has learnt from the very faces it looks at here, or when that is not known."""
        from facecond.data.learnt import count_learnt

        if judge.learnt_from is None:
            return f"it is not known which faces the {judge.name} learnt from"
        met = count_learnt(judge.learnt_from, self.session.pack, self.places)
        return f"the {judge.name} learnt from {met} of the {len(set(self.places.tolist()))} real faces" if met else ""

    @cached_property
    def mask_figures(self) -> list[Figure]:
        """All that the parser's maps of samples, real pictures and reconstructions say; each set is parsed once."""
        import numpy as np

        from facecond.metrics.faithfulness import Confusion
        from facecond.metrics.figures import mask_figures

        parse, labels = self.judges["parser"].parse, self.asked[JUDGED["miou"]]
        own = np.asarray(self.session.pack.labels[self.places])
        found = parse(self.samples, "parsing samples")
        return mask_figures(
            Confusion.of(labels, found),
            ceiling=Confusion.of(own, parse(self.real, "parsing real pictures")),
            floor=Confusion.of(labels[self.partner], found),
            marks={"reconstructions": Confusion.of(own, parse(self.reconstructed, "parsing reconstructions"))},
            conditions_N=self.places,
            circumstances=self._under("parser"),
        )

    @cached_property
    def attribute_figures(self) -> list[Figure]:
        """All that the classifier says of samples, real pictures and reconstructions; each set is classified once."""
        import numpy as np

        from facecond.metrics.faithfulness import AttributeScores
        from facecond.metrics.figures import attribute_figures

        classify, pack = self.judges["classifier"].attributes, self.session.pack
        asked = self.asked[JUDGED["attributes"]]
        own = np.asarray(pack.attributes[self.places])
        found = classify(self.samples, "classifying samples")
        again = classify(self.reconstructed, "classifying reconstructions")
        training = np.asarray(pack.attributes)[pack.indices("train")]
        return attribute_figures(
            AttributeScores(found, asked),
            ceiling=AttributeScores(classify(self.real, "classifying real pictures"), own),
            floor=AttributeScores(found, asked[self.partner]),
            marks={"reconstructions": AttributeScores(again, own)},
            majority=(training > 0).sum(0) >= (training < 0).sum(0),
            conditions_N=self.places,
            circumstances=self._under("classifier"),
        )


def _of_masks(*names: str) -> Callable[[Evidence], list[Figure]]:
    return lambda evidence: [figure for figure in evidence.mask_figures if figure.name in names]


def _attributes(evidence: Evidence) -> list[Figure]:
    return evidence.attribute_figures


def _reconstruction(evidence: Evidence) -> list[Figure]:
    from facecond.metrics.figures import Circumstances, reconstruction_figures
    from facecond.metrics.reconstruction import psnr, ssim

    real, again = evidence.real, evidence.reconstructed
    return reconstruction_figures(
        psnr(real, again), ssim(real, again), conditions_N=evidence.places,
        circumstances=Circumstances(reference=evidence.reference),
    )  # fmt: skip


MEASURES: dict[str, Callable[[Evidence], list[Figure]]] = {
    "miou": _of_masks("miou", "mean_of_image_ious"),
    "accuracy": _of_masks("mask_accuracy"),
    "attributes": _attributes,
    "reconstruction": _reconstruction,
}
"""What can be measured."""


def _metrics(named: Sequence[str]) -> list[str]:
    """The measures asked for. Raises ConfigError for an unknown one, NotBuiltError for one of the paper's still to come."""
    metrics = list(dict.fromkeys(named))
    if not metrics:
        raise ConfigError("no measure named", hint=f"name some: facecond eval {' '.join(MEASURES)}")
    later = [metric for metric in metrics if metric in LATER]
    if later:
        raise NotBuiltError(
            f"{', '.join(later)} {'is' if len(later) == 1 else 'are'} not part of this version",
            hint=f"measure {', '.join(MEASURES)}",
        )
    for metric in metrics:
        if metric not in MEASURES:
            raise ConfigError(f"{metric!r} is not a measure", hint=nearest(metric, MEASURES))
    return metrics


def _check_only_measuring(composed: Composed) -> None:
    """Refuse what decides how samples are made when they are there already."""
    for key in ("sampler", "guidance", "count", "precision"):
        if composed.given(key):
            raise ConfigError(
                f"{key} has no effect on samples that are there already", hint="leave it out, or leave out samples="
            )


def _samples_folder(config: EvalConfig) -> Path:
    for place in (Path(str(config.samples)), Path(config.workspace) / "samples" / str(config.samples)):
        if (place / "generation.json").is_file():
            return place
    raise DataError(
        f"{config.samples} is neither a folder of samples nor in {Path(config.workspace) / 'samples'}",
        hint="folders of samples are made by: facecond sample",
    )


def _load_judges(prepared: Prepared[EvalConfig, Measuring], session: Session[EvalConfig]) -> dict[str, Any]:
    """Load what measures before anything is sampled, so that a wrong judge costs nothing."""
    from facecond import assembly

    loaders = {"parser": assembly.load_parser, "classifier": assembly.load_classifier}
    device = session.generator.device
    return {
        kind: load(prepared.found.judges[kind], device)
        for kind, load in loaders.items()
        if kind in prepared.found.judges
    }


def gather(prepared: Prepared[EvalConfig, Measuring], session: Session[EvalConfig], judges: dict[str, Any]) -> Evidence:
    """Sample the validation conditions, or open the samples named; find what each was asked to be."""
    import numpy as np

    from facecond.sampling.folder import read_values
    from facecond.sampling.generation import open_generation
    from facecond.sampling.plans import Lazy, one_each

    config = prepared.config
    pack = session.pack
    if prepared.found.samples is not None:
        made = open_generation(prepared.found.samples)
    else:
        count = min(config.count, len(pack.indices("validation")))
        plan = one_each(Lazy(count, session.prompt), config.seed)
        made = session.generate(plan, prepared.found.folder)
    if made.made_with["weights"] != session.generator.sha256:
        raise DataError(
            f"{made.folder} was sampled from other weights than {prepared.found.weights}",
            hint="name that run: run=...",
        )
    known = {name: place for place, name in enumerate(pack.ids)}
    for record in made.records:
        if record["source"] not in known:
            raise DataError(
                f"image {record['index']} of {made.folder} has no item of {pack.path} behind it, so nothing real to compare with",
                hint="measure samples of validation conditions",
            )
    places = np.array([known[record["source"]] for record in made.records])
    if len(set(places.tolist())) < 2:
        raise DataError(
            f"{made.folder} has conditions of one item only", hint="the floor needs the conditions of others"
        )
    told = [read_values(made.folder, record) for record in made.records]
    asked: dict[str, Any] = {}
    for metric in prepared.found.metrics:
        if metric not in JUDGED:
            continue
        name = JUDGED[metric]
        values = [each[name] for each in told if name in each]
        if len(values) < len(told) or len({value.shape for value in values}) > 1 or values[0].dtype == bool:
            raise DataError(
                f"{metric}: some of the samples in {made.folder} were not told what this measures "
                "(or got overlapping parts)",
                hint="measure samples that were given the whole condition",
            )
        asked[name] = np.stack(values)
    return Evidence(
        session=session, prepared=prepared, folder=made.folder, made_with=made.made_with, samples=np.asarray(made.images),
        places=places, asked=asked, judges=judges,
    )  # fmt: skip
