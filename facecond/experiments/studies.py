"""`facecond reproduce STUDY`: questions of our own, as rows of commands like the paper's tables; what they share."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from facecond.commands import data_draw
from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.commands.steps import Steps, run_command
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.table import COMMANDS, config_name
from facecond.config.commands.whole import ReproduceConfig
from facecond.config.compose import Composed, compose
from facecond.config.reproduce import Study, StudyConfig
from facecond.config.settings import plain
from facecond.data.mixing import Mixed, Part
from facecond.drawn.pairs import check_traits
from facecond.errors import ConfigError, nearest
from facecond.experiments import table
from facecond.experiments.plan import override
from facecond.faces.labels import part_indices
from facecond.faces.names import ATTRIBUTES
from facecond.io import reproduced
from facecond.io.files import atomic_write, sha256_file
from facecond.io.runs import WEIGHTS
from facecond.reports.tables import markdown
from facecond.workspace.find import find_pack, find_run
from facecond.workspace.origin import short_hash

if TYPE_CHECKING:
    from facecond.reports.curves import Chart

log = logging.getLogger("facecond")

Rows = list[list[str]]


class Command(NamedTuple):
    """One step of a study."""

    title: str
    module: Any
    """Of the command; None for what no command that can be typed does."""
    words: list[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What a study found."""

    tables: dict[str, Rows]
    notes: Sequence[str]
    files: dict[str, Path] = field(default_factory=dict)
    """What it made beside the tables."""
    charts: Sequence[Chart] = ()


class Work:
    """What a study is made of: its settings, its names, and the account of its steps."""

    def __init__(self, prepared: Prepared[ReproduceConfig, Any], *, total: int | None = None) -> None:
        """`total`: commands there are; None = they are only to be noted, in `planned`."""
        self.config, self.study = prepared.config, prepared.config.study
        self.workspace = Path(self.config.workspace)
        self.name = prepared.name
        self.folder = self.workspace / "reproduced" / self.name
        self.shared = [override("workspace", self.config.workspace)]
        self.computing = [*self.shared, f"device={self.config.device.name}"]
        self.steps = Steps(self.workspace / "reproduced" / f"{self.name}.json", total or 0)
        self.noting, self.planned = total is None, list[Command]()
        self.about = (self.study.title, prepared.composed.overrides)
        self.done: dict[str, dict[str, str]] = {}
        """Title of a command that was run, or found done -> what it made."""

    def command(self, title: str, module: Any, words: Sequence[str]) -> dict[str, str]:
        """Run a command unless it is done; return what it made. In a plan it is only noted, and nothing is made."""
        return self._step(title, module, lambda: run_command(module, words), words)

    def step(self, title: str, do: Callable[[], dict[str, str]], words: Sequence[str]) -> dict[str, str]:
        """The same of what no command that can be typed does; `words` say what decides its outcome."""
        return self._step(title, None, do, words)

    def _step(self, title: str, module: Any, do: Callable[[], dict[str, str]], words: Sequence[str]) -> dict[str, str]:
        if self.noting:
            if title not in {each.title for each in self.planned}:
                self.planned.append(Command(title, module, list(words)))
            return {}
        if title not in self.done:
            reproduced.begin(self.folder, *self.about)  # not before: a study that is refused leaves nothing behind
            self.done[title] = self.steps.call(title, title, do, words=words)
        return self.done[title]

    def faces(self, draw: Sequence[str], name: str) -> Path:
        """The pack that is named, else faces that are drawn."""
        if self.config.pack is not None:
            return find_pack(self.config.workspace, self.config.pack).path
        self.command("draw faces", data_draw, [*draw, override("name", name), *self.shared])
        return self.workspace / "packs" / name

    def mixed(self, name: str, parts: Sequence[Part]) -> Path:
        """A pack of items of others, made unless it is there."""
        from facecond.data.pack import Pack
        from facecond.data.packing import pack_source
        from facecond.io.lock import hold

        place = self.workspace / "packs" / name
        with hold(place):
            pack_source(Mixed(parts), place, Pack.open(parts[0].pack).resolution, workers=1)
        return place

    def write(self, tables: Mapping[str, Rows], notes: Sequence[str], charts: Sequence[Chart] = ()) -> dict[str, Path]:
        """Write tables as Markdown and CSV, and with the charts as a page; return the files by what they are."""
        title, made = self.study.title, {"page": self.folder / "table.html", "table": self.folder / "table.md"}
        texts = [f"# {title}", *(f"## {name}\n\n{markdown(rows)}" for name, rows in tables.items())]
        contents = {"table.md": "\n".join([*texts, *(f"- {note}" for note in notes)]) + "\n"}
        for number, (name, rows) in enumerate(tables.items(), 1):
            contents[f"table{number}.csv"] = table.as_csv(rows)
            made[f"csv: {name}"] = self.folder / f"table{number}.csv"
        for name, text in contents.items():
            with atomic_write(self.folder / name) as temporary:
                temporary.write_text(text, encoding="utf-8")
        self._write_page(made["page"], tables, notes, charts)
        return made

    def _write_page(
        self, path: Path, tables: Mapping[str, Rows], notes: Sequence[str], charts: Sequence[Chart]
    ) -> None:
        from facecond.reports.page import Charts, Page, Section, Table, Words, write_page

        sections = [Section(title=name, blocks=[Table(rows=rows)]) for name, rows in tables.items()]
        if charts:
            sections.insert(0, Section(title="At a glance", blocks=[Charts(charts=list(charts))]))
        sections.append(Section(title="How it was made", blocks=[Words(text="\n\n".join(notes))]))
        command = notes[0].partition(": ")[2]
        write_page(path, Page(title=self.study.title, lead=f"{notes[1]}", sections=sections, command=command))


def prepare(composed: Composed) -> Prepared[ReproduceConfig, Any]:
    """Check the settings of a study, and that what it names is there."""
    config: ReproduceConfig = composed.config
    study = config.study
    if config.paper.variants:
        raise ConfigError(
            "a study and a table or figure of the paper are both named", hint="name them one after another"
        )
    for key in ("first_stage", "parser", "classifier", "scale"):
        if composed.given(key):
            raise ConfigError(f"{key} has no effect on a study", hint="its settings are those of study.*")
    _check_distinct(study)
    if study.kind is Study.synthetic and not study.seeds:
        raise ConfigError("study.seeds=[] trains nothing", hint="for example study.seeds=[0,1,2]")
    if study.kind is Study.edits:
        _check_edits(study, given_pack=config.pack is not None)
    if study.kind is Study.exchanges:
        _check_exchanges(study)
    for key, command in (
        ("parser", "train"),
        ("classifier", "train"),
        ("edit", "edit"),
        ("synthesize", "synthesize"),
        ("draw", "data draw"),
    ):
        words = [*getattr(study, key), *([f"model={key}"] if command == "train" else [])]
        if words:
            compose(command, words)
    run = find_run(config.workspace, study.run, "diffusion").path
    _check_with_run(config, run)
    usual = plain(StudyConfig())  # what says nothing leaves the name as it was before there was such a key
    said = {key: value for key, value in plain(study).items() if value != usual[key]}
    contents: dict[str, Any] = {"study": said | {"run": sha256_file(run / WEIGHTS)}}
    if config.pack is not None:
        contents["pack"] = sha256_file(find_pack(config.workspace, config.pack).path / "manifest.json")
    name = f"{study.kind.name}-{short_hash(contents)}"
    return Prepared(composed=composed, name=name, found=None, used={"run": str(run), "study": _size(study)})


def _check_with_run(config: ReproduceConfig, run: Path) -> None:
    """Refuse a run or faces that a study would fail with after hours, or answer wrongly."""
    from facecond.experiments import exchanges, memorisation, synthetic

    checks = {
        Study.exchanges: exchanges.check,
        Study.memorisation: memorisation.check,
        Study.synthetic: synthetic.check,
    }
    if config.study.kind in checks:
        checks[config.study.kind](config, run)


def _check_distinct(study: StudyConfig) -> None:
    """Refuse what is named twice: it would be counted twice, as if more were known."""
    means: dict[str, Callable[[Any], Any]] = {
        "seeds": int, "traits": str, "parts": lambda part: part_indices([part]), "strengths": lambda value: f"{value:g}",
    }  # fmt: skip
    for key, meaning in means.items():
        named: dict[str, Any] = {}
        for value in getattr(study, key):
            what = str(meaning(value))
            if what in named:
                before = named[what]
                said = f"{value} is named twice" if before == value else f"{before} and {value} are the same"
                raise ConfigError(f"study.{key}: {said}, and would be counted twice", hint="name each once")
            named[what] = value


def _check_edits(study: StudyConfig, *, given_pack: bool) -> None:
    """Refuse what cannot be edited, before anything is loaded."""
    if given_pack:
        raise ConfigError("pack has no effect on study=edits", hint="it draws people with and without a trait")
    if not study.traits or not study.strengths:
        raise ConfigError(f"study.traits={study.traits} and study.strengths={study.strengths} edit nothing")
    for trait in study.traits:
        if trait not in ATTRIBUTES:
            raise ConfigError(f"study.traits: {trait}", hint=nearest(trait, ATTRIBUTES))
    _check_how(study)
    check_traits(study.traits, study.count)


def _check_exchanges(study: StudyConfig) -> None:
    if not study.parts or not study.strengths:
        raise ConfigError(f"study.parts={study.parts} and study.strengths={study.strengths} edit nothing")
    part_indices(study.parts)
    _check_how(study)


def _check_how(study: StudyConfig) -> None:
    """Refuse strengths that there are not, and words about editing that the study goes through itself."""
    for strength in study.strengths:
        if not 0 <= strength <= 1:
            raise ConfigError(
                f"study.strengths: {strength:g} is out of range", hint="0 changes nothing, 1 begins at noise"
            )
    for word in study.edit:
        if word.partition("=")[0] in DECIDED:
            raise ConfigError(f"study.edit: {word} is for the study to say", hint="leave it out")


DECIDED = {
    "method",
    "blend",
    "strength",
    "items",
    "photos",
    "run",
    "pack",
    "paint",
    "region",
    *(each.word for each in CONDITIONS.values()),
}
"""Keys of `facecond edit` that studies of edits go through themselves."""


def _size(study: StudyConfig) -> str:
    if study.kind is Study.edits:
        return f"{study.count} pairs, {len(study.traits)} traits, strengths {', '.join(f'{each:g}' for each in study.strengths)}"
    if study.kind is Study.exchanges:
        return f"{study.count} faces, {', '.join(study.parts)}, strengths {', '.join(f'{each:g}' for each in study.strengths)}"
    if study.kind is Study.memorisation:
        return f"{study.count} samples, a model overfitted on {study.faces} faces"
    seeds = ", ".join(map(str, study.seeds))
    return f"{study.real or 'all'} real faces, {study.share:g} of them few, {study.count} synthesized, seeds {seeds}"


def run(prepared: Prepared[ReproduceConfig, Any]) -> Result:
    """Go through the work of a study, or say what it consists of."""
    from facecond.experiments import edits, exchanges, memorisation, synthetic

    prepared.announce()
    modules = {
        Study.synthetic: synthetic,
        Study.memorisation: memorisation,
        Study.edits: edits,
        Study.exchanges: exchanges,
    }
    module: Any = modules[prepared.config.study.kind]
    plan = Work(prepared)
    module.plan(plan)
    if not prepared.config.plan:
        work = Work(prepared, total=len(plan.planned))
        found: Findings = module.made(work)
        notes = [f"Command: facecond reproduce {shlex.join(prepared.composed.overrides)}", *found.notes, *_about()]
        made = work.write(found.tables, notes, found.charts) | found.files
        reproduced.finish(work.folder, *work.about, made.values())
        return Result(command="reproduce", used=prepared.used, tables=found.tables, made=made)
    rows = [["step", "command"], *([each.title, _typed(each)] for each in plan.planned)]
    words = [word for word in prepared.composed.overrides if word.partition("=")[0] != "plan"]
    return Result(
        command="reproduce", used=prepared.used, tables={plan.study.title: rows}, facts={"steps": len(plan.planned)},
        next=[shlex.join(["facecond", "reproduce", *(word.removeprefix("study=") for word in words)])],
    )  # fmt: skip


def _typed(command: Command) -> str:
    if command.module is None:
        return "-"
    name = next(name for name in COMMANDS if config_name(name) == command.module.__name__.rpartition(".")[2])
    return f"facecond {name} {shlex.join(command.words)}"


def _about() -> list[str]:
    import torch

    from facecond.workspace.provenance import machine

    return [f"Machine: {machine()}, torch {torch.__version__}"]
