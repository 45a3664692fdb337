"""What a reproduction consists of: which models are trained, which samples are measured, with which words.

Names say what a model is and nothing of the table it is trained for, so that tables and figures share what they need. What is
made otherwise than its scale says (another pack, other words) has a short hash of that behind its name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from facecond.commands import data_draw, encode, train
from facecond.commands import eval as evaluate
from facecond.commands.evidence import readers
from facecond.conditions.table import CONDITIONS
from facecond.config.catalogue import groups_of, options_of
from facecond.config.commands.whole import ReproduceConfig
from facecond.config.compose import compose, is_group_choice, quoted
from facecond.config.reproduce import Kind, PaperConfig, ScaleConfig, VariantConfig
from facecond.config.settings import plain
from facecond.errors import ConfigError, in_order, nearest
from facecond.io.files import sha256_file
from facecond.io.runs import weights_in
from facecond.measuring.measure import SAMPLES, VARIATIONS, Measure
from facecond.measuring.table import MEASURES, measures_named
from facecond.workspace.find import find_first_stage, find_pack
from facecond.workspace.origin import short_hash

ENDINGS = {Kind.table, Kind.curve, Kind.worst, Kind.again}
"""Kinds that measure."""

RANKED = {Kind.worst, Kind.again}
"""Kinds that rank samples by what the face parser sees in them."""

ALONE = {Kind.attribute_sets, Kind.conditions, Kind.swaps}
"""Kinds that draw samples of one variant."""

DECIDES = {
    "faces": ("draw",),
    "vq": ("draw", "size", "first_stage"),
    "parser": ("draw", "size", "parser"),
    "classifier": ("draw", "size", "classifier"),
    "model": ("draw", "size", "first_stage", "diffusion", "snapshots"),
}
"""Keys of the scale that decide what becomes of each thing that is made; a pack that is named stands for `draw`, a first stage that
is named for `first_stage`."""

LONGEST = 48
"""Characters that overrides may take in the name of a run; longer ones become a hash."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Work:
    """One command of a reproduction."""

    key: str
    title: str
    module: Any
    """Of the command; None for what no command that can be typed does."""
    words: list[str]
    amount: int = 0
    """Images learnt from, in whole batches, or pictures sampled."""
    run: str = ""
    """Name of the run that it trains."""
    training: tuple[str, ...] = ()
    """Words that say what is trained, or what is sampled, for timing it; empty for other work."""
    about: Mapping[str, Any] = field(default_factory=dict)
    """Which cell of the table it is for: variant, eta, seed, snapshot."""


class Plan:
    """All work of one reproduction, in order."""

    def __init__(self, config: ReproduceConfig, scale: str) -> None:
        """Raises ConfigError for a table or figure that cannot be made of what its configuration names, and DataError or
        CheckpointError for a pack or a first stage that is not there.
        """
        self.config, self.paper, self.scale, self.prefix = config, config.paper, config.scale, f"paper-{scale}"
        self.shared = [override("workspace", config.workspace)]
        self.computing = [*self.shared, f"device={config.device.name}"]
        _check(self.paper)
        if not self.scale.seeds:
            raise ConfigError("scale.seeds=[] trains nothing", hint="for example scale.seeds=[0]")
        for word in self.scale.sampling:
            if word.partition("=")[0] == "sampler.eta":
                raise ConfigError(
                    f"scale.sampling: {word} has no meaning beside paper.etas={self.paper.etas}",
                    hint=f"paper.etas=[{word.partition('=')[2]}]",
                )
        self.conditions = {each.name: _conditions(each, self.what(each)) for each in self.paper.variants}
        self._check_guidance()
        if self.paper.kind in ENDINGS:
            self._check_measures()
        if config.pack is None and not self.scale.draw:
            raise ConfigError(
                f"scale={scale} needs a pack of real faces",
                hint="facecond data pack data=celebamask_hq data.root=DIR, then add pack=NAME",
            )
        now, shipped = plain(self.scale) | _contents(config), _shipped(scale)
        self.endings = {what: _ending({key: now[key] for key in keys}, shipped) for what, keys in DECIDES.items()}
        self.pack = config.pack or str(Path(config.workspace) / "packs" / self._name("faces"))
        self.instead: dict[str, Path] = {}
        """Name of a run -> an equal run that is there already and takes its place."""

    def _check_guidance(self) -> None:
        """Refuse guidance of a model that never learns what "not told" means."""
        for variant in self.paper.variants:
            model = _composed(*self.what(variant)).model
            if self.scale.guidance != 1 and model.conditions and not model.optional:
                raise ConfigError(
                    f"scale.guidance={self.scale.guidance:g}: {variant.name} is always told everything, so that guidance has "
                    "nothing to start from",
                    hint="leave it at 1, or add model.condition_dropout=0.1 to scale.diffusion",
                )

    def what(self, variant: VariantConfig) -> tuple[str, ...]:
        """Words that say what a variant is, whatever its seed."""
        return (f"model={variant.model}", f"size={self.scale.size}", *self.scale.diffusion, *variant.words)

    @property
    def sampling(self) -> list[str]:
        """What every command that samples is told of how; sampling at another eta is for it to add."""
        return [f"guidance.scale={self.scale.guidance:g}", *self.scale.sampling]

    def _check_measures(self) -> None:
        """Refuse a measure that says nothing of any variant however it is sampled, and etas with which nothing is measured."""
        names, variants = ", ".join(each.name for each in self.paper.variants), self.paper.variants
        able = [name for name in MEASURES if any(self._measures(each, 1.0, [name]) for each in variants)]
        for name in self.paper.measures:
            if name not in able:
                raise ConfigError(
                    f"paper.measures: {name} cannot be measured of {names}", hint=f"measure {', '.join(able)}"
                )
        if not any(self._measures(each, eta, self.paper.measures) for each in variants for eta in self.paper.etas):
            raise ConfigError(
                f"paper.measures={self.paper.measures} say nothing of samples with paper.etas={self.paper.etas}",
                hint="diversity is that of stochastic sampling: paper.etas=[1]",
            )

    def _measures(self, variant: VariantConfig, eta: float, named: Sequence[str]) -> list[str]:
        """Those of the measures `named` that say something of a variant, sampled so."""
        return [name for name in named if fits(MEASURES[name], self.conditions[variant.name], eta)]

    @property
    def looks_back(self) -> bool:
        """Whether weights kept on the way are looked at."""
        return self.paper.kind in (Kind.curve, Kind.checkpoints)

    @property
    def first_stage(self) -> str:
        """The first stage that is used."""
        return self.config.first_stage or str(self._run(self._name("vq")))

    @property
    def judges(self) -> dict[str, str]:
        """The judges that are used."""
        needed = self._needed()
        kinds = [kind for kind in ("parser", "classifier") if kind in needed]
        return {kind: getattr(self.config, kind) or str(self._run(self._name(kind))) for kind in kinds}

    def _name(self, what: str) -> str:
        """Name of what all models share: the faces, the first stage, a judge."""
        return f"{self.prefix}-{what}{self.endings[what]}"

    def _run(self, name: str) -> Path:
        return self.instead.get(name, Path(self.config.workspace) / "runs" / name)

    def _needed(self) -> set[str | None]:
        """Detectors that the measures and the noisy conditions of the variants need."""
        return {each for variant in self.paper.variants for each in _looking_with(self.paper.measures, variant)}

    def seeds(self) -> list[int]:
        """Seeds of training; a picture needs one only."""
        return self.scale.seeds if self.paper.kind in (Kind.table, Kind.curve) else self.scale.seeds[:1]

    def run(self, variant: VariantConfig, seed: int) -> Path:
        """Run folder of a variant."""
        return self._run(self.name_of(variant, seed))

    def name_of(self, variant: VariantConfig, seed: int) -> str:
        """Name under which a variant is trained; another way to train it gives another name."""
        return "-".join([self.prefix, variant.model, *in_name(variant.words), f"s{seed}"]) + self.endings["model"]

    def works(self) -> list[Work]:
        """All of it, in order. Raises ConfigError for two works of one key."""
        works = [*self.common(), *self.models(), *self.measurings()]
        check_once(works)
        return works

    def common(self) -> Iterator[Work]:
        """What every model and every measure needs: faces, first stage, latents, judges; each knows what came before it."""
        if self.config.pack is None:
            words = [*self.scale.draw, override("name", Path(self.pack).name), *self.shared]
            yield Work(key=f"draw{self.endings['faces']}", title="draw faces", module=data_draw, words=words)
        if self.config.first_stage is None:
            yield self._shared("vq", "train the first stage")
        words = [override("pack", self.pack), override("first_stage", self.first_stage), *self.computing]
        yield Work(key=f"encode{self.endings['vq']}", title="encode pictures to latents", module=encode, words=words)
        for kind, title in (("parser", "train the face parser"), ("classifier", "train the attribute classifier")):
            if kind in self.judges and getattr(self.config, kind) is None:
                yield self._shared(kind, title)

    def models(self) -> list[Work]:
        """The trainings of diffusion models, each once."""
        works = []
        for seed in self.seeds():
            for variant in self.paper.variants:
                images, every = self._images_and_snapshots(variant)
                words = [
                    *self.scale.diffusion,
                    *variant.words,
                    f"trainer.seed={seed}",
                    f"trainer.snapshot_every={every}",
                ]
                name = self.name_of(variant, seed)
                works.append(self._training(
                    name, f"train {variant.name}, seed {seed}", variant.model, words, name=name, images=images,
                    more=[override("first_stage", self.first_stage)],
                ))  # fmt: skip
        return check_once(works)

    def _shared(self, kind: str, title: str) -> Work:
        """The training of the first stage or of a judge."""
        words: list[str] = getattr(self.scale, {"vq": "first_stage"}.get(kind, kind))
        trainer = _composed(f"model={kind}", f"size={self.scale.size}", *words).trainer
        images = whole_batches(trainer.images, trainer.batch_size)
        key = f"{kind}{self.endings[kind]}"
        return self._training(key, title, kind, words, name=self._name(kind), images=images)

    def _training(
        self, key: str, title: str, model: str, words: Sequence[str], *, name: str, images: int, more: Sequence[str] = ()
    ) -> Work:  # fmt: skip
        what = (f"model={model}", f"size={self.scale.size}", *words)
        everything = [*what, override("name", name), override("pack", self.pack), *more, *self.computing]
        return Work(key=key, title=title, module=train, words=everything, amount=images, run=name, training=what)

    def measurings(self) -> list[Work]:
        """The measurings of tables, one for each variant, sampling and seed; of curves, one for each snapshot too."""
        if self.paper.kind not in ENDINGS:
            return []
        works = []
        for seed in self.seeds():
            for variant in self.paper.variants:
                run = self.run(variant, seed)
                for eta in self.paper.etas:
                    for snapshot in self.places(variant):
                        works.append(self._measuring(variant, run, eta, seed, snapshot))
        return [work for work in works if "measures=[]" not in work.words]

    def places(self, variant: VariantConfig) -> list[int | None]:
        """Images after which a variant is looked at; None = the end."""
        if not self.looks_back:
            return [None]
        images, every = self._images_and_snapshots(variant)
        return [*range(every, images, every), None]

    def _images_and_snapshots(self, variant: VariantConfig) -> tuple[int, int]:
        """Images a variant learns from, and after how many weights are kept, both in whole batches."""
        trainer = _composed(*self.what(variant)).trainer
        images = whole_batches(trainer.images, trainer.batch_size)
        batches = max(1, images // self.scale.snapshots // trainer.batch_size)
        return images, batches * trainer.batch_size

    def snapshots(self, work: Work) -> list[int]:
        """Images after which weights of a training are looked at."""
        if not self.looks_back:
            return []
        names = {self.name_of(variant, seed): variant for seed in self.seeds() for variant in self.paper.variants}
        return [place for place in self.places(names[work.run]) if place is not None] if work.run in names else []

    def _measuring(self, variant: VariantConfig, run: Path, eta: float, seed: int, snapshot: int | None) -> Work:
        told = self.conditions[variant.name]
        measures = self._measures(variant, eta, self.paper.measures)
        curve = self.paper.kind is Kind.curve
        count = self.scale.count if told else self.scale.unconditional
        count = self.scale.checkpoint_count if curve else count
        needed = _looking_with(measures, variant)
        judges = [override(kind, place) for kind, place in self.judges.items() if kind in needed]
        words = [
            override("measures", measures), override("run", str(run)), override("pack", self.pack), f"sampler.eta={eta:g}",
            f"count={count}",
            f"conditions={self.scale.conditions}", f"variations={self.scale.variations}", *judges, *self.sampling,
            *self.computing,
        ]  # fmt: skip
        if variant.noisy:
            words.append(override("noisy", variant.noisy))
        if snapshot is not None:
            words.append(f"snapshot={snapshot}")
        sets = {each for name in measures for each in MEASURES[name].scores.sets}
        single = count if SAMPLES in sets else 0
        several = self.scale.conditions * self.scale.variations if VARIATIONS in sets else 0
        title = f"measure {variant.name}, eta {eta:g}, seed {seed}" + (f", {snapshot} images" if snapshot else "")
        noisy = f"noisy {','.join(variant.noisy)}" if variant.noisy else ""
        key = f"{run.name} eta {eta:g} {'-'.join(measures)} {noisy} {snapshot or 'end'}"
        about = {"variant": variant.name, "eta": eta, "seed": seed, "snapshot": snapshot}
        return Work(
            key=key,
            title=title,
            module=evaluate,
            words=words,
            amount=single + several,
            training=self.what(variant),
            about=about,
        )


def whole_batches(images: int, batch: int) -> int:
    """Images that a training sees when it is to see `images`: the last batch is a whole one too."""
    return -(-images // batch) * batch


def fits(measure: Measure, told: Sequence[str], eta: float) -> bool:
    """Whether a measure says something of a model that is `told` these conditions, sampled so.

    Diversity is that of stochastic sampling (the paper, section 4).
    """
    if VARIATIONS in measure.scores.sets:
        return bool(told) and eta > 0
    return measure.scores.condition is None or measure.scores.condition in told


def in_name(words: Sequence[str]) -> list[str]:
    """Parts of a run's name that tell its overrides apart: the overrides where they can be read off a name, else one short hash.

    No two lists of overrides have the same parts: parts hold no dash but between a key and its value.
    """
    parts = [_readable(word) for word in words]
    if not all(parts) or len("-".join(parts)) > LONGEST:
        return [short_hash(list(words))]
    return parts


def _readable(word: str) -> str:
    """An override as part of a name: an option that one group only has stands for itself; "" where there is no such part."""
    key, _, value = word.partition("=")
    if not all(re.fullmatch(r"[\w.]+", each, re.ASCII) for each in (key, value)):
        return ""
    if is_group_choice(word, "train") and sum(value in options_of(group) for group in groups_of("train")) == 1:
        return value
    return f"{key}-{value}"


def check_once(works: Iterable[Work]) -> list[Work]:
    """Works by their keys, each once. Raises ConfigError for two of one key that are told to do different things."""
    known: dict[str, Work] = {}
    for work in works:
        one = known.setdefault(work.key, work)
        if one.words != work.words:
            raise ConfigError(
                f"'{one.title}' and '{work.title}' would both be called {work.key!r}",
                hint="reproduce them one after the other",
            )
    return list(known.values())


def override(key: str, value: str | Sequence[str]) -> str:
    """`key=value` of a text or a list of texts, in quotes where Hydra's grammar needs them."""
    if isinstance(value, str):
        return f"{key}={_in_quotes(value)}"
    return f"{key}=[{','.join(map(_in_quotes, value))}]"


def _in_quotes(text: str) -> str:
    return text if re.fullmatch(r"[\w./+@-]+", text, re.ASCII) else quoted(text)


def _conditions(variant: VariantConfig, what: Sequence[str]) -> list[str]:
    """What a variant, trained with the words `what`, is told. Raises ConfigError for noisy conditions that it is not told."""
    told = list(_composed(*what).model.conditions)
    for name in variant.noisy:
        if name not in told:
            raise ConfigError(f"{variant.name}: noisy={name}, and it is not told that", hint=nearest(name, CONDITIONS))
    readers(variant.noisy)  # raises for a condition that no judge reads
    return told


def _contents(config: ReproduceConfig) -> dict[str, str]:
    """SHA-256 of the pack and the first stage that are named, by the key of the scale that they stand for."""
    contents: dict[str, str] = {}
    if config.pack is not None:
        contents["draw"] = sha256_file(find_pack(config.workspace, config.pack).path / "manifest.json")
    if config.first_stage is not None:
        place = find_first_stage(config.workspace, config.first_stage).path
        contents["first_stage"] = sha256_file(weights_in(place))
    return contents


def _ending(now: Mapping[str, Any], shipped: Mapping[str, Any]) -> str:
    """A short hash of what is not as `shipped`, with a dash before it; "" where nothing is."""
    other = {key: value for key, value in now.items() if value != shipped[key]}
    return f"-{short_hash(other)}" if other else ""


@cache
def _shipped(scale: str) -> dict[str, Any]:
    """The keys of an option of the group `scale`, as they come with the program."""
    values: dict[str, Any] = plain(compose("reproduce", [f"scale={scale}"]).config.scale)
    return values


@cache
def _composed(*words: str) -> Any:
    """The configuration of a training; a plan asks for each several times."""
    return compose("train", words).config


def _check(paper: PaperConfig) -> None:
    if not paper.variants:
        from facecond.config.catalogue import options_of

        known = ", ".join([*in_order(options_of("paper")), *in_order(options_of("study"))])
        raise ConfigError(
            "no table, figure or study named", hint=f"for example: facecond reproduce table5; there are {known}"
        )
    names = [variant.name for variant in paper.variants]
    if len(set(names)) < len(names):
        raise ConfigError(f"paper.variants: two are called {max(names, key=names.count)!r}", hint="name each apart")
    if not paper.etas:
        raise ConfigError("paper.etas=[] samples nothing", hint="for example paper.etas=[0,1]")
    if paper.kind in ENDINGS or paper.measures:
        measures_named(paper.measures)
    if paper.kind not in ENDINGS and paper.measures:
        raise ConfigError(
            f"paper.measures={paper.measures}: nothing is measured for {paper.title.lower()}",
            hint="leave paper.measures out",
        )
    if paper.kind is Kind.curve and (len(paper.etas), len(paper.measures)) != (1, 1):
        raise ConfigError(
            f"{paper.title.lower()}: a curve is of one eta and one measure, found paper.etas={paper.etas} and "
            f"paper.measures={paper.measures}",
            hint="reproduce a curve for each apart",
        )
    if paper.kind in RANKED and (len(names), len(paper.etas), paper.measures) != (1, 1, ["miou"]):
        raise ConfigError(
            f"{paper.title.lower()}: one variant, one eta and the measure miou expected, found {len(names)}, {len(paper.etas)} and "
            f"{paper.measures}",
            hint="reproduce the figure for each apart",
        )
    if paper.kind not in ENDINGS and len(paper.etas) != 1:
        raise ConfigError(
            f"{paper.title.lower()}: one eta expected, found paper.etas={paper.etas}",
            hint="reproduce the figure for each apart",
        )
    if paper.kind in ALONE and len(names) != 1:
        raise ConfigError(
            f"{paper.title.lower()}: one variant expected, found {', '.join(names)}",
            hint="reproduce the figure for each apart",
        )
    for ordering in paper.orderings:
        for name in (ordering.better, ordering.worse):
            if name not in names:
                raise ConfigError(f"paper.orderings: no variant is called {name!r}", hint=nearest(name, names))
        if ordering.measure not in paper.measures:
            raise ConfigError(
                f"paper.orderings: {ordering.measure} is not measured", hint=nearest(ordering.measure, paper.measures)
            )


def sizes(scale: ScaleConfig) -> str:
    """What a scale amounts to, in words."""
    return f"size {scale.size}, seeds {', '.join(map(str, scale.seeds))}, {scale.count} conditions"


def _looking_with(measures: Sequence[str], variant: VariantConfig) -> set[str | None]:
    """Detectors that measures, and the noisy conditions of a variant, need."""
    return {MEASURES[name].scores.detector for name in measures} | set(readers(variant.noisy).values())
