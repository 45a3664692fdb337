"""`facecond synthesize`: labelled faces in quantity, each read by judges, written in the forms that other programs read."""

import dataclasses
import logging
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facecond.assembly.session import Session, open_session
from facecond.commands.prepared import Prepared, prepare_generation
from facecond.commands.result import Result
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.table import CONDITIONS
from facecond.config.commands.base import NO_JUDGE, NO_MAPS
from facecond.config.commands.synthesize import FORMS, AttributesFrom, LabelsFrom, MapsFrom, SynthesizeConfig
from facecond.data.pack import EXCLUDED, SPLITS, Pack, read_manifest
from facecond.editing.asked import Asked, asked_of, read_pair
from facecond.editing.region import classes_of
from facecond.errors import CheckpointError, ConfigError, DataError, nearest
from facecond.faces.attributes import format_attributes, parse_attributes
from facecond.faces.names import NUM_ATTRIBUTES
from facecond.io.files import sha256_file
from facecond.io.runs import weights_in
from facecond.workspace.find import Found, RunInfo
from facecond.workspace.judges import choose_judge, named_judge
from facecond.workspace.names import generation_name, pack_of_faces
from facecond.workspace.origin import Origin, find_maps, generation_key, how_sampled, items_plan, model_of, weights_file

if TYPE_CHECKING:
    from facecond.assembly.synthesis import Face, Synthesis
    from facecond.synthesized.folder import FaceRecord, SynthesizedFolder

log = logging.getLogger("facecond")

FOLDER = "synthesized"
"""Folder of a workspace that synthesized sets lie in."""

LEAST_PEOPLE = 2
"""People among whom parts can be exchanged."""

REAL = 256
"""Real pictures that are judged, at most, to say what share of them would be accepted."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Synthesizing(Origin):
    """What faces are made of, and who judges them."""

    maps: RunInfo | None
    maps_from: MapsFrom
    labels: LabelsFrom
    parser: Path | None
    classifier: Path | None
    split: str
    key: dict[str, Any]
    """What decides the faces and whether they are accepted, beside what `generation_key` has (JSON values)."""


def prepare(words: Sequence[str]) -> Prepared[SynthesizeConfig, Synthesizing]:
    """Check what is asked for; find run, pack, judges and a generator of maps."""
    prepared = prepare_generation("synthesize", words, _check_alone)
    config, origin = prepared.config, prepared.found
    told, maps_from = origin.conditions, _maps_from(config)
    _check_told(prepared, told)
    split = _split(origin.pack, config.split, needed=config.attributes is not AttributesFrom.given)
    maps = drawn_by = None
    if _may_draw(config) and Mask.name in told:
        drawn_by = find_maps(config.workspace, config.maps, origin.run, origin.own_pack)
        if drawn_by is not None:
            maps, maps_from = drawn_by.run, MapsFrom.drawn
            prepared.used["maps"] = str(drawn_by)
        elif maps_from is MapsFrom.drawn:
            raise ConfigError(
                "maps_from=drawn: no generator of maps fits"
                if config.maps != NO_MAPS
                else "maps_from=drawn and maps=none",
                hint="train one (facecond train model=maps), name one (maps=RUN), or take maps_from=data",
            )
    parser, classifier = (
        _judge(config, kind, origin.pack, needed=condition in told)
        for kind, condition in (("parser", Mask.name), ("classifier", Attributes.name))
    )
    for kind, judge in (("parser", parser), ("classifier", classifier)):
        prepared.used[kind] = str(judge) if judge else "none"
    labels = config.labels or (LabelsFrom.told if Mask.name in told else LabelsFrom.read)
    if labels is LabelsFrom.told and Mask.name not in told:
        raise ConfigError(f"labels=told: the model of {prepared.name} is told no maps", hint="take labels=read")
    if labels is LabelsFrom.read and parser is None and {"pack", "coco"} & {*config.forms}:
        raise ConfigError("labels are to be read, and there is no parser", hint="name one: parser=RUN")
    key: dict[str, Any] = {
        "people": items_plan(origin), "split": split, "whose": config.attributes.name,
        "by hand": _by_hand_text(config), "pairs": [format_attributes(read_pair(pair)) for pair in config.pairs],
        "pairs_share": config.pairs_share if config.pairs else None, "maps_from": maps_from.name,
        "parts": sorted(classes_of(config.parts)) if maps_from is MapsFrom.exchanged else None,
        "maps": sha256_file(weights_file(maps)) if maps else None,
        "parser": sha256_file(weights_in(parser.path)) if parser else None,
        "classifier": sha256_file(weights_in(classifier.path)) if classifier else None,
        "least_miou": config.least_miou, "least_attributes": config.least_attributes, "named": config.named,
        "tries": config.tries, "validation": config.validation,
    }  # fmt: skip
    takes_parts = maps_from is MapsFrom.exchanged or bool(_by_hand_text(config) or config.pairs)
    if (
        Mask.name in told
        and maps_from is not MapsFrom.drawn
        and takes_parts
        and (config.validation or split != "train")
    ):
        key["parts_of"] = "people of the same split"  # sets from before this rule are not continued
    own_map = maps_from is MapsFrom.data or Mask.name not in told
    pieces = [*([] if config.attributes is AttributesFrom.data else [config.attributes.name]), *_short(config)]
    pieces += [] if own_map else [f"{maps_from.name}-maps"]
    name = config.name or generation_name(
        Path(config.workspace) / FOLDER, prepared.name, [*pieces, *how_sampled(origin.run, config)],
        generation_key(origin, config, key),
    )  # fmt: skip
    found = Synthesizing(
        **{field.name: getattr(origin, field.name) for field in dataclasses.fields(Origin)},
        maps=maps, maps_from=maps_from, labels=labels, parser=parser.path if parser else None,
        classifier=classifier.path if classifier else None, split=split, key=key,
    )  # fmt: skip
    return Prepared(composed=prepared.composed, name=name, found=found, used=prepared.used)


def _by_hand_text(config: SynthesizeConfig) -> str:
    """Attributes that hold for everybody, in words."""
    return str(getattr(config, CONDITIONS[Attributes.name].word) or "")


def _short(config: SynthesizeConfig) -> list[str]:
    """Pieces of a name that say what was asked for."""
    asked = CONDITIONS[Attributes.name].short(_by_hand_text(config)) if _by_hand_text(config) else []
    return [*asked, *config.pairs]


def _maps_from(config: SynthesizeConfig) -> MapsFrom:
    """Where maps come from if no generator of maps fits."""
    return config.maps_from or (MapsFrom.drawn if config.attributes is AttributesFrom.given else MapsFrom.data)


def _may_draw(config: SynthesizeConfig) -> bool:
    """Whether maps are drawn where a generator of maps fits: the map of a person who does not smile shows no smile that is said."""
    by_hand = config.attributes is AttributesFrom.given or bool(_by_hand_text(config) or config.pairs)
    return config.maps_from is MapsFrom.drawn or (config.maps_from is None and by_hand)


def _split(pack: Path, named: str | None, *, needed: bool) -> str:
    """The split whose people are taken. Raises DataError for one that is empty or not there, and, where people are `needed`,
    when nobody is in those that are taken unless one is named.
    """
    splits = read_manifest(pack)["splits"]
    sizes = {name: sum(last - first for first, last in ranges) for name, ranges in splits.items() if name != EXCLUDED}
    if named is not None and not sizes.get(named):
        raise DataError(
            f"split={named}: {pack} has no such people", hint=nearest(named, [name for name in sizes if sizes[name]])
        )
    if named is None and needed and not any(sizes.get(name) for name in SPLITS):
        others = [f"split={name}" for name in sizes if sizes[name]]
        hint = f"name another: {' or '.join(others)}" if others else "name another pack, or take attributes=given"
        raise DataError(f"{pack} has nobody in its {' or '.join(SPLITS)} split", hint=hint)
    return named or max(SPLITS, key=lambda name: sizes.get(name, 0))


def _judge(config: SynthesizeConfig, kind: str, pack: Path, *, needed: bool) -> Found | None:
    """The judge that is named, or the one made for the pack; None where none is wanted, or there is none and it is not `needed`."""
    named = getattr(config, kind)
    if named == NO_JUDGE:
        return None
    if named is not None:
        return named_judge(config.workspace, kind, named)
    try:
        return choose_judge(config.workspace, kind, Pack.open(pack))
    except CheckpointError as reason:
        if needed:
            raise CheckpointError(reason.message, hint=f"{reason.hint}; {kind}={NO_JUDGE} does without") from reason
        return None


def _check_told(prepared: Prepared[SynthesizeConfig, Origin], told: Sequence[str]) -> None:
    """Refuse what the model cannot be asked for, and what is typed and would have no effect."""
    config, composed = prepared.config, prepared.composed
    if not {Attributes.name, Mask.name} & {*told}:
        raise ConfigError(
            f"the model of {prepared.name} is told neither attributes nor maps, so that its faces have no labels",
            hint="name another run: run=...",
        )
    if others := [name for name in told if name not in (Attributes.name, Mask.name)]:
        raise ConfigError(
            f"the model of {prepared.name} is told {', '.join(others)}, which no judge reads off a face",
            hint="name a run that is told attributes, maps or both: run=...",
        )
    by_attributes = [
        key for key, typed in (
            (f"{CONDITIONS[Attributes.name].word}=", bool(_by_hand_text(config))), ("pairs=", bool(config.pairs)),
            ("attributes=", config.attributes is not AttributesFrom.data),
        ) if typed
    ]  # fmt: skip
    if by_attributes and Attributes.name not in told:
        raise ConfigError(
            f"{by_attributes[0]} is given, but the model of {prepared.name} is not conditioned on attributes",
            hint="name another run: run=...",
        )
    if config.attributes is AttributesFrom.given and not model_of(prepared.found.run).optional:
        raise ConfigError(
            f"attributes=given: the model of {prepared.name} was always told everything", hint="take attributes=data"
        )
    idle = {
        "maps_from": ("for a model that is told no maps", Mask.name not in told),
        "maps": ("unless maps are drawn: maps_from=drawn", not _may_draw(config)),
        "parts": ("unless maps are exchanged: maps_from=exchanged", config.maps_from is not MapsFrom.exchanged),
        "pairs_share": ("without pairs=", not config.pairs),
        "split": ("where nobody's attributes are taken", config.attributes is AttributesFrom.given),
    }
    for key, (why, has_none) in idle.items():
        if has_none and composed.given(key):
            raise ConfigError(f"{key} has no effect {why}", hint="leave it out")


def _check_alone(config: SynthesizeConfig) -> None:
    """Check what needs neither run nor pack."""
    if text := _by_hand_text(config):
        CONDITIONS[Attributes.name].check(text)
    for pair in config.pairs:
        read_pair(pair)
    if config.attributes is AttributesFrom.given:
        if not (_by_hand_text(config) or config.pairs):
            raise ConfigError(
                "attributes=given, and none are", hint="for example: --attr +Smiling, or pairs=[Bald+Eyeglasses]"
            )
        if config.maps_from not in (None, MapsFrom.drawn):
            raise ConfigError(
                f"maps_from={config.maps_from.name}: with attributes=given there is nobody to take a map from",
                hint="leave it out: maps are drawn",
            )
    if not classes_of(config.parts):
        raise ConfigError("no parts to exchange", hint="name some, for example parts=[hair,nose]")
    if not config.forms:
        raise ConfigError("forms=[] writes nothing", hint=f"choose from {', '.join(FORMS)}")
    for form in config.forms:
        if form not in FORMS:
            raise ConfigError(f"forms: {form!r} is not a form", hint=nearest(form, FORMS))
    if "croissant" in config.forms and "imagefolder" not in config.forms:
        raise ConfigError("forms: croissant describes the image folder", hint="add imagefolder")


def run(prepared: Prepared[SynthesizeConfig, Synthesizing]) -> Result:
    """Make and judge what is missing, then write the accepted faces in all forms."""
    from facecond import progress
    from facecond.assembly.exports import KIND
    from facecond.data.packing import check_place
    from facecond.io.lock import WAIT, hold
    from facecond.synthesized.folder import SynthesizedFolder

    prepared.announce()
    config, found, processes = prepared.config, prepared.found, prepared.processes
    session: Session[SynthesizeConfig] = open_session(found, config, processes=processes, maps=found.maps)
    place = Path(config.workspace) / FOLDER / prepared.name
    with processes.first_enters(lambda: hold(place, wait=WAIT)):
        folder = SynthesizedFolder(
            place, count=config.count, resolution=session.generator.resolution,
            made_with={**found.key, **session.made_with, "seed": config.seed},
        )  # fmt: skip
        if "pack" in config.forms:  # before anything is made
            known = {"kind": KIND, "labels": found.labels.name, "weights": folder.made_with["weights"]}
            check_place(_pack_place(prepared, folder.count), folder.resolution, known)
        synthesis = _synthesis(prepared, session, folder.count)
        made = 0

        def missing() -> list[tuple[int, int]]:
            """The next attempt at each face that is neither accepted nor given up; the first process knows."""
            left = ((index, folder.missing(index, config.tries)) for index in range(folder.count))
            return processes.as_first([(index, attempts[0]) for index, attempts in left if attempts])

        def take(faces: "list[Face]") -> None:
            nonlocal made
            for face in faces:
                folder.write(face.record, face.image_HWC, face.maps)
            made += len(faces)
            bar.update(sum(not folder.missing(face.record["index"], config.tries) for face in faces))

        todo = missing()
        with progress.bar("synthesize", len(todo), unit="face", shown=processes.first) as bar:
            while todo:
                pieces = [todo[start : start + config.batch_size] for start in range(0, len(todo), config.batch_size)]
                processes.share_out(pieces, synthesis.make, take)
                todo = missing()
        if not processes.first:  # it helped
            return Result(command="synthesize", used=prepared.used)
        folder.finish()
        records = folder.records(folder.count)
        accepted = [record for record in records if record["accepted"]]
        if not accepted:
            why = Counter(_kind_of(reason) for record in records for reason in record["reasons"]).most_common(1)[0][0]
            raise DataError(
                f"none of the {len(records)} faces made was accepted, mostly for {why}; they lie in {place / 'rejected'}",
                hint="lower least_miou= or least_attributes=, or name a run that has learnt more; records.jsonl has the reasons",
            )
        made_files = _written(prepared, folder, accepted)
        if config.sheet:
            made_files["sheet"] = place / "sheet.png"
            _draw_sheet(made_files["sheet"], folder, accepted[: config.sheet], prepared)
        facts = _facts(synthesis, records, accepted, folder.count, made)
    following = []
    if "pack" in made_files:
        pack = made_files["pack"].name
        if empty := [split for split in SPLITS if all(record["split"] != split for record in accepted)]:
            log.warning("the %s split is empty: raise count=, or set validation=", empty[0])
        else:
            following = [prepared.suggest(f"train model={kind}", pack=pack) for kind in ("parser", "classifier")]
    return Result(
        command="synthesize", used=prepared.used, facts=facts, tables=_tables(records), made=made_files,
        next=following,
    )  # fmt: skip


def _synthesis(
    prepared: Prepared[SynthesizeConfig, Synthesizing], session: Session[SynthesizeConfig], count: int
) -> "Synthesis":
    """What makes the faces: who is asked for, and the judges, loaded."""
    from facecond.assembly.judges import LOADERS
    from facecond.assembly.synthesis import Synthesis

    config, found = prepared.config, prepared.found
    given = config.attributes is AttributesFrom.given
    items = np.zeros(0, dtype=np.int64) if given else session.pack.indices(found.split)
    attributes = np.zeros((0, NUM_ATTRIBUTES), dtype=np.int8) if given else np.asarray(session.pack.attributes[items])
    if config.attributes is AttributesFrom.balanced and not attributes.any():
        raise DataError(
            f"attributes=balanced: {session.pack.path} knows no attributes of its people", hint="take attributes=given"
        )
    pairs = [read_pair(pair) for pair in config.pairs]
    exchanged = found.maps_from is MapsFrom.exchanged
    least = LEAST_PEOPLE * (2 if config.validation else 1)
    if exchanged and len(items) < least:
        raise DataError(
            f"maps_from=exchanged: the {found.split} split of {session.pack.path} has {len(items)} people, expected {least} or "
            "more: parts are exchanged inside of each split of the faces",
            hint="take maps_from=data" + (", or validation=0" if len(items) >= LEAST_PEOPLE else ""),
        )
    held_out_N = _held_out(len(items), config, LEAST_PEOPLE if exchanged else 0)
    asked = asked_of(
        attributes,
        count,
        how=config.attributes,
        pairs=pairs,
        share=config.pairs_share,
        exchanged=exchanged,
        held_out_N=held_out_N,
        seed=config.seed,
    )
    places = {"parser": found.parser, "classifier": found.classifier}
    judges = {kind: LOADERS[kind](place, session.generator.device) if place else None for kind, place in places.items()}
    return Synthesis(
        session=session, items=items, asked=asked, pairs=pairs, by_hand=parse_attributes(_by_hand_text(config)),
        maps_from=found.maps_from, parser=judges["parser"], classifier=judges["classifier"],
        splits=_splits(asked, held_out_N, config.validation, config.seed), held_out_N=held_out_N,
    )  # fmt: skip


def _held_out(people: int, config: SynthesizeConfig, least: int) -> NDArray[np.bool_]:
    """Which people's faces form the validation split, bool (people,): the share asked for, `least` or more in either split."""
    from facecond.rng import numpy_generator

    number = int(np.ceil(config.validation * people))
    if number:
        number = min(max(number, least), people - least)
    found = np.zeros(people, dtype=np.bool_)
    found[numpy_generator(config.seed, "validation people").permutation(people)[:number]] = True
    return found


def _splits(asked: Sequence[Asked], held_out_N: NDArray[np.bool_], share: float, seed: int) -> list[str]:
    """The split of each face: all faces of a person lie in one; faces of nobody are dealt out one by one."""
    from facecond.rng import mix

    def of(index: int, person: int | None) -> bool:
        if person is None:
            return mix(seed, "validation face", index) / 2**63 < share
        return bool(held_out_N[person])

    return ["validation" if of(index, each.person) else "train" for index, each in enumerate(asked)]


def _written(
    prepared: Prepared[SynthesizeConfig, Synthesizing], folder: "SynthesizedFolder", accepted: "Sequence[FaceRecord]"
) -> dict[str, Path]:
    """Write the accepted faces in the forms asked for; return what is there, by name."""
    from facecond.assembly.exports import SynthesizedFaces, export, exported, is_exported
    from facecond.data.packing import pack_source
    from facecond.io.lock import hold

    config, found = prepared.config, prepared.found
    made = {} if "imagefolder" in config.forms else {"faces": folder.path / "data"}  # the same folder
    made["records"] = folder.path / "records.jsonl"
    if (folder.path / "rejected").is_dir():
        made["rejected"] = folder.path / "rejected"
    packed = {}
    if "pack" in config.forms:  # first, since it may be refused
        source = SynthesizedFaces(folder.path, accepted, found.labels, folder.made_with)
        packed["pack"] = _pack_place(prepared, folder.count)
        with hold(packed["pack"]):
            pack_source(source, packed["pack"], folder.resolution, workers=1)
    if not is_exported(folder, accepted, forms=config.forms, labels=found.labels):
        words = [
            f"{len(accepted)} faces made by {found.run.path.name}, a diffusion model: `facecond synthesize`. None is a photograph.",
            *([f"Labels in the COCO files are what was {found.labels.name}."] if "coco" in config.forms else []),
        ]
        export(folder, accepted, forms=config.forms, labels=found.labels, name=prepared.name, words=words)
    return made | exported(folder.path, config.forms) | packed


def _pack_place(prepared: Prepared[SynthesizeConfig, Synthesizing], count: int) -> Path:
    """Where the pack of `count` faces lies: with the labels read of faces that were told some, beside the pack of those."""
    found = prepared.found
    read = found.labels is LabelsFrom.read and Mask.name in found.conditions
    return Path(prepared.config.workspace) / "packs" / pack_of_faces(prepared.name, count, read=read)


def _facts(
    synthesis: "Synthesis", records: "Sequence[FaceRecord]", accepted: "Sequence[FaceRecord]", count: int, made: int
) -> dict[str, Any]:
    config = synthesis.session.config
    facts: dict[str, Any] = {
        "faces": count, "accepted": len(accepted), "given up": count - len(accepted), "made now": made,
        "made in all": len(records), "share accepted": round(len(accepted) / len(records), 4),
        "at the first try": round(sum(record["attempt"] == 0 for record in accepted) / count, 4),
    }  # fmt: skip
    if config.attributes is not AttributesFrom.given and (synthesis.parser or synthesis.classifier):
        facts["real pictures accepted"] = _of_real(synthesis)
    for key in ("miou", "attributes_right"):
        values = [value for record in accepted if (value := record[key]) is not None]
        if values:
            facts[f"mean {key.replace('_', ' ')}"] = round(float(np.mean(values)), 4)
    facts["splits"] = ", ".join(f"{n} {split}" for split, n in Counter(record["split"] for record in accepted).items())
    return facts


def _of_real(synthesis: "Synthesis") -> str:
    """What share of real pictures the judges would accept, of those that none of them has learnt from, in words."""
    from facecond.assembly.synthesis import never_learnt, of_real

    session, judges = synthesis.session, [each for each in (synthesis.parser, synthesis.classifier) if each]
    for judge in judges:
        if judge.learnt_from is None:
            return f"not measured: it is not known which faces the {judge.name} learnt from"
    split, items = never_learnt(session.pack, [judge.learnt_from or [] for judge in judges], REAL)
    if not len(items):
        return f"not measured: the judges learnt from every face of {session.pack.path.name}"
    share = of_real(session, synthesis.parser, synthesis.classifier, items)
    return f"{share:.3f} of {len(items)} {split} faces, none of which the judges learnt from"


def _kind_of(reason: str) -> str:
    """A reason without its figures."""
    return reason.partition(": ")[0]


def _tables(records: "Sequence[FaceRecord]") -> dict[str, list[list[str]]]:
    """Why faces were rejected; and of what was asked for by name, how many were made, accepted and given up."""
    tables = {}
    reasons = Counter(_kind_of(reason) for record in records for reason in record["reasons"])
    if reasons:
        tables["rejected for"] = [
            ["reason", "faces made"],
            *([why, str(number)] for why, number in reasons.most_common()),
        ]
    asked: dict[str, list[FaceRecord]] = {}
    for record in records:
        if record["asked"]:
            asked.setdefault(record["asked"], []).append(record)
    if asked:
        rows = []
        for words, some in asked.items():
            faces, done = len({record["index"] for record in some}), sum(record["accepted"] for record in some)
            rows.append([words, str(faces), str(len(some)), str(done), f"{done / len(some):.3f}"])
        tables["asked for by name"] = [["asked for", "faces", "made", "accepted", "share accepted"], *rows]
    return tables


def _draw_sheet(
    path: Path,
    folder: "SynthesizedFolder",
    shown: "Sequence[FaceRecord]",
    prepared: Prepared[SynthesizeConfig, Synthesizing],
) -> None:
    """Accepted faces above their label maps."""
    from facecond.io.images import write_png
    from facecond.reports.layouts import contact_sheet

    faces = [folder.read(record) for record in shown]
    images = [image for image, _ in faces]
    labels = [maps.told_HW if prepared.found.labels is LabelsFrom.told else maps.read_HW for _, maps in faces]
    whole = [each for each in labels if each is not None]
    captions = [record["asked"] or f"{record['index']}" for record in shown]
    text = f"{prepared.found.run.path.name}, labels as {prepared.found.labels.name}"
    write_png(path, contact_sheet(
        images, whole if len(whole) == len(images) else None, captions, title="Synthesized faces", text=text
    ))  # fmt: skip
