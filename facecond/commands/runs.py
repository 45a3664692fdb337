"""`facecond runs`: what a workspace holds, the newest first, and what one could do with it. Nothing is written."""

import logging
import shlex
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from facecond.commands.prepared import Prepared
from facecond.commands.result import Listing, Result, Row
from facecond.commands.uses import measuring, serving, uses
from facecond.config.commands.workspace import RunsConfig
from facecond.config.compose import compose
from facecond.errors import DataError
from facecond.io.runs import read_run_file
from facecond.quantities import grouped, in_bytes
from facecond.reports.made import sampler_text
from facecond.reports.tables import MISSING, value_text
from facecond.workspace.find import finished_runs
from facecond.workspace.inventory.entries import (
    EditsEntry,
    Entry,
    ExportEntry,
    Inventory,
    PackEntry,
    ParsedEntry,
    ReproducedEntry,
    ResultsEntry,
    RunEntry,
    SamplesEntry,
    SynthesizedEntry,
    Value,
    entries_of,
)
from facecond.workspace.inventory.known import IN_USE
from facecond.workspace.inventory.take import take
from facecond.workspace.kinds import KINDS
from facecond.workspace.names import pack_of_faces

log = logging.getLogger("facecond")

COMMANDED = 3
"""Entries of each kind, the newest, below which commands stand where no word is given."""

FIRST = ("miou", "attribute_accuracy", "attribute_balanced_mask_free", "psnr", "accuracy", "balanced")
"""Figures that are shown before others."""

SHOWN = 3
"""Figures shown of an entry; `--json` has all."""

LONGEST = 60
"""Characters of words that were told; `--json` has them whole."""

OTHERS = {
    "demo": "the demo's page",
    "features": "what networks saw in pictures; deleting it costs time only",
    "first_stages": "first stages that were given as files",
    "jobs": "logs and words of jobs: launcher=",
    "releases": "data sets that were drawn as files",
    "reports": "pages about runs, sheets of packs; each can be written again",
}
"""What else a workspace holds."""


def prepare(words: Sequence[str]) -> Prepared[RunsConfig, None]:
    """Check the configuration, and that a workspace that is named is there."""
    composed = compose("runs", words)
    config: RunsConfig = composed.config
    if composed.given("workspace") and not Path(config.workspace).exists():
        raise DataError(f"{config.workspace}: no such workspace", hint="name the folder that holds packs and runs")
    return Prepared(composed=composed, name="runs", found=None)


def run(prepared: Prepared[RunsConfig, None]) -> Result:
    """List what there is."""
    config = prepared.config
    name = None if config.kind is None else config.kind.name
    model = None if name in KINDS else name
    held = take(
        config.workspace, kinds=KINDS if name is None else ["runs" if model else name], model=model, words=config.words
    )
    entries = entries_of(held)
    _Next(prepared, held).fill()
    own = [entry for entry in entries if not entry["came_along"]]
    everything = name is None and not config.words
    following = []
    if not own and everything and not held["others"]:
        log.info("%s holds nothing yet", config.workspace)
        following = [prepared.suggest("sample --attr +Smiling"), prepared.suggest("demo")]
    elif not entries:
        asked = [*([config.kind.name] if config.kind else []), *map(repr, config.words)]
        log.info("%s holds nothing for %s", config.workspace, " and ".join(asked))
    remarks = sum(bool(entry["remark"]) for entry in own)
    facts = {"in all" if everything else "these": f"{len(own)} entries, {in_bytes(held['bytes'])}"}
    facts |= {"with a remark": str(remarks)} if remarks else {}
    return Result(
        command="runs", facts=facts, listings=_listings(held, config), documents={"inventory": held}, next=following
    )


class _Next:
    """Puts into each entry the commands that make sense with it."""

    def __init__(self, prepared: Prepared[RunsConfig, None], held: Inventory) -> None:
        self.suggest, self.held = prepared.suggest, held
        self.finished = [
            (path.name, run["kind"], run["sha256 of the pack"])
            for path in finished_runs(prepared.config.workspace, "diffusion", "vq")
            for run in [read_run_file(path)]
        ]
        """Name, kind and pack of the workspace's own, the latest first."""

    def fill(self) -> None:
        """Do it."""
        held = self.held
        for pack in held["packs"]:
            pack["next"] = self.of_pack(pack)
        for run in held["runs"]:
            run["next"] = self.of_run(run)
        for samples in held["samples"]:
            samples["next"] = self.of_samples(samples)
        for results in held["results"]:
            results["next"] = self.of_results(results)
        for parsed in held["parsed"]:
            parsed["next"] = self.of_parsed(parsed)
        for synthesized in held["synthesized"]:
            synthesized["next"] = self.of_synthesized(synthesized)
        for export in held["exports"]:
            export["next"] = self.of_export(export)
        for reproduced in held["reproduced"]:
            reproduced["next"] = self.of_reproduced(reproduced)

    def of_pack(self, pack: PackEntry) -> list[str]:
        if "items" not in pack:
            return []
        name = pack["name"]
        commands = [self.suggest("data inspect", pack=name)]
        if pack["came_along"]:
            return commands
        if pack["latents"]:
            return [*commands, self.suggest("train model=multicond", pack=name)]
        can_encode = any(kind == "vq" for _, kind, _ in self.finished)
        return [*commands, self.suggest("encode" if can_encode else "train model=vq", pack=name)]

    def of_run(self, run: RunEntry) -> list[str]:
        if "kind" not in run:
            return []
        name, kind = run["name"], run["kind"]
        report = self.suggest(shlex.join(["report", name]))
        if not run.get("finished"):
            if run["remark"].startswith(IN_USE):
                return [report]
            words = [word for word in run.get("overrides", []) if word.partition("=")[0] not in ("workspace", "name")]
            return [self.suggest(shlex.join(["train", *words]), name=name), report]
        commands = [self.suggest(command, **{key: name}) for command, key in uses(kind, run.get("told", ()))]
        if kind == "diffusion" and (other := self.to_compare(run)):
            commands.append(self.suggest(shlex.join(["compare", name, other])))
        return [*commands, report]

    def to_compare(self, run: RunEntry) -> str | None:
        """The latest other run of its kind that learnt from the same pack."""
        packs = {name: pack for name, kind, pack in self.finished if kind == run.get("kind")}
        alike = [name for name, pack in packs.items() if name != run["name"] and pack == packs.get(run["name"])]
        return alike[0] if alike and not run["came_along"] else None

    def of_samples(self, samples: SamplesEntry) -> list[str]:
        run = samples.get("run")
        if run is None or not samples.get("images") or samples["remark"]:
            return []
        path, report = Path(samples["path"]), self.suggest(shlex.join(["report", run]))
        by_hand = bool(samples.get("words"))  # with no item to compare with
        if by_hand or path.parent.name != "samples" or not (path / "generation.json").is_file():
            return [report]  # swaps were told parts of several maps, and of several checkpoints there is one each
        return [self.suggest(measuring(samples.get("told", ())), samples=samples["name"], run=run), report]

    def of_results(self, results: ResultsEntry) -> list[str]:
        known = {run["name"] for run in self.held["runs"]}
        known |= {name for name, _, _ in self.finished}  # those, too, that a word leaves out of the list
        runs = results.get("runs", [])
        return [self.suggest(shlex.join(["report", *runs]))] if runs and known.issuperset(runs) else []

    def of_parsed(self, parsed: ParsedEntry) -> list[str]:
        if not parsed.get("pictures"):
            return []
        table = (
            {"data.attributes": str(Path(parsed["path"]) / "attributes.csv")} if parsed.get("has_attributes") else {}
        )
        size = str(2 ** (parsed["resolution"].bit_length() - 1))
        named = {"data": "label_maps", "data.root": parsed["path"], **table, "resolution": size, "name": parsed["name"]}
        return [self.suggest("data pack", **named)]

    def of_synthesized(self, synthesized: SynthesizedEntry) -> list[str]:
        if "pack" not in synthesized.get("forms", []) or "asked" not in synthesized:
            return []
        names = [pack_of_faces(synthesized["name"], synthesized["asked"], read=read) for read in (False, True)]
        there = {pack["name"] for pack in self.held["packs"]}
        return [self.suggest("train model=parser", pack=name) for name in names if name in there]

    def of_export(self, export: ExportEntry) -> list[str]:
        if "files" not in export or export["remark"].startswith(IN_USE):
            return []
        if export["remark"]:
            return [self.suggest(shlex.join(["verify", export["path"]]))]
        return [serving(export["path"])]

    def of_reproduced(self, reproduced: ReproducedEntry) -> list[str]:
        if "words" not in reproduced or (reproduced["finished"] and not reproduced["remark"]):
            return []
        words = [word for word in reproduced["words"] if word.partition("=")[0] != "workspace"]
        return [self.suggest(shlex.join(["reproduce", *words]))]


def _listings(held: Inventory, config: RunsConfig) -> list[Listing]:
    """What is shown of each kind of entry: the newest, with what there is to say in columns."""
    commanded = config.next if config.next is not None else None if config.words else COMMANDED

    def listing(
        title: str, head: list[str], entries: Sequence[Entry], said: Callable[..., tuple[list[str], str]]
    ) -> Listing:
        own = [entry for entry in entries if not entry["came_along"]]
        shown = [*own[: config.most], *(entry for entry in entries if entry["came_along"])]
        rows = []
        for place, entry in enumerate(shown):
            cells, more = said(entry)
            when = "with the program" if entry["came_along"] else _when(entry["when"])
            commands = entry["next"] if commanded is None or place < commanded else []
            cells = [entry["name"], *cells, in_bytes(entry["bytes"]), when]
            rows.append(Row(cells=cells, more=more, remark=entry["remark"], commands=commands))
        left, notes = own[config.most :], []
        if left:
            notes.append(f"and {len(left)} more, {in_bytes(sum(each['bytes'] for each in left))}: most={len(own)}")
        if config.next is None and any(entry["next"] for entry in shown[commanded:]) and commanded is not None:
            notes.append(f"commands of all: next={len(shown)}, or a word of the name")
        return Listing(title=title, head=["name", *head, "size", "when (UTC)"], rows=rows, note="; ".join(notes))

    pieces = [
        listing("Packs", ["source", "pictures", "px", "latents of"], held["packs"], _of_pack),
        listing("Runs", ["model", "told", "pack", "images learnt from"], held["runs"], _of_run),
        listing("Samples", ["run", "pictures", "sampled with"], held["samples"], _of_samples),
        listing("Results", ["of"], held["results"], _of_results),
        listing("Parsed photographs", ["pictures", "px"], held["parsed"], _of_parsed),
        listing("Edited pictures", ["run", "pictures", "by"], held["edits"], _of_edits),
        listing("Synthesized sets", ["run", "faces", "px", "forms"], held["synthesized"], _of_synthesized),
        listing("Exports", ["run", "for", "files", "sampled with"], held["exports"], _of_export),
        listing("Reproduced", ["what", "made"], held["reproduced"], _of_reproduced),
    ]
    if held["others"]:
        others = [
            Row(cells=[each["name"], OTHERS.get(each["name"], "not of facecond's making"), in_bytes(each["bytes"])])
            for each in held["others"]
        ]
        pieces.append(Listing(title="Beside them", head=["name", "what it is", "size"], rows=others))
    return [piece for piece in pieces if piece.rows]


def _of_pack(pack: PackEntry) -> tuple[list[str], str]:
    if "items" not in pack:
        return [MISSING] * 4, ""
    splits = ", ".join(f"{grouped(count)} {name}" for name, count in pack["splits"].items() if count)
    latents = ", ".join(each["name"] or each["first_stage"][:12] for each in pack["latents"])
    return [pack["source"], splits, str(pack["resolution"]), latents or MISSING], ""


def _of_run(run: RunEntry) -> tuple[list[str], str]:
    if "kind" not in run:
        return [MISSING] * 4, ""
    told = ", ".join(run["told"]) or ("nothing" if run["kind"] == "diffusion" else MISSING)
    pack = run["pack"] if run["pack_here"] else f"{Path(run['pack']).name} (gone)" if run["pack"] else MISSING
    learnt = grouped(run.get("images_seen", 0))
    if not run.get("finished"):
        learnt += f" of {grouped(run['images'])}, unfinished"
    return [run["model"], told, pack, learnt], _figures_of(run)


def _figures_of(run: RunEntry) -> str:
    """What was measured of its weights, else how it did at its last evaluation."""
    if run.get("figures"):
        return _figures(run["figures"])
    logged = {name: value for name, value in run.get("evaluation", {}).items() if value is not None}
    first = [name for name in FIRST if name in logged] or list(logged)[:1]
    return ", ".join(f"{name} {value_text(logged[name])}" for name in first[:SHOWN])


def _figures(values: Sequence[Value]) -> str:
    """The first figures in words, with their intervals."""
    ordered = sorted(values, key=lambda each: FIRST.index(each["name"]) if each["name"] in FIRST else len(FIRST))
    words = []
    for each in ordered[:SHOWN]:
        interval = "" if each["spread"] is None else f" ± {value_text(each['spread'])}"
        words.append(f"{each['title']} {value_text(each['value'], each['unit'])}{interval}")
    left = len(values) - SHOWN
    return ", ".join(words) + (f", and {left} more" if left > 0 else "")


def _of_samples(samples: SamplesEntry) -> tuple[list[str], str]:
    if "asked" not in samples:
        return [MISSING] * 3, ""
    words, made = samples.get("words", ""), samples["made_with"]
    told = f"{words[: LONGEST - 3]}..." if len(words) > LONGEST else words
    if not told:
        told = f"{', '.join(samples['told'])} of items" if samples.get("told") else ""
    run = samples.get("run") or f"weights {samples['weights'][:12]}"
    guidance = [f"{weight:g}" for weight in made.get("guidance", {}).values()]
    how = sampler_text(made["sampler"])
    if set(guidance) - {"1"}:
        how += f", guidance {', '.join(guidance if len(set(guidance)) > 1 else guidance[:1])}"
    return [run, grouped(samples.get("images", 0)), how], f"told {told}" if told else ""


def _of_results(results: ResultsEntry) -> tuple[list[str], str]:
    if "figures" not in results:
        return [MISSING], ""
    return [" - ".join(results["runs"]) or MISSING], _figures(results["figures"])


def _of_parsed(parsed: ParsedEntry) -> tuple[list[str], str]:
    if "pictures" not in parsed:
        return [MISSING] * 2, ""
    judges = ", ".join(name for name in parsed["judges"].values() if isinstance(name, str))
    return [grouped(parsed["pictures"]), str(parsed["resolution"])], judges


def _of_edits(entry: EditsEntry) -> tuple[list[str], str]:
    if "pictures" not in entry:
        return [MISSING] * 3, ""
    run = entry["run"] or f"weights {entry['weights'][:12]}"
    how = f"{entry['method']}, strength {entry['strength']:g}, {sampler_text(entry['made_with']['sampler'])}"
    return [run, grouped(entry["pictures"]), how], ""


def _of_synthesized(entry: SynthesizedEntry) -> tuple[list[str], str]:
    if "asked" not in entry:
        return [MISSING] * 4, ""
    faces, made = entry.get("faces", 0), entry.get("made", 0)
    said = f"{faces / made:.1%} of {grouped(made)} made were accepted" if made else ""
    counts = f"{grouped(faces)} of {grouped(entry['asked'])}"
    return [entry.get("run") or MISSING, counts, str(entry["resolution"]), ", ".join(entry["forms"]) or MISSING], said


def _of_export(entry: ExportEntry) -> tuple[list[str], str]:
    if "files" not in entry:
        return [MISSING] * 4, ""
    run = entry["run"] or f"weights {entry['weights'][:12]}"
    said = [f"maps drawn by {entry['maps']}"] if entry["maps"] else []
    said += [f"{entry['people']} people"] if entry["people"] else []
    how = sampler_text(entry["made_with"]["sampler"])
    return [run, entry["target"], grouped(entry["files"]), how], ", ".join(said)


def _of_reproduced(entry: ReproducedEntry) -> tuple[list[str], str]:
    if "title" not in entry:
        return [MISSING] * 2, ""
    return [entry["title"], ", ".join(entry["files"]) or MISSING], ""


def _when(time: str) -> str:
    return datetime.fromisoformat(time).strftime("%Y-%m-%d %H:%M")
