"""Labelled faces in quantity: what is accepted shows what was told; the libraries that own the formats read what was written."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from facecond.assembly.judges import LOADERS, Judge, load_classifier, load_parser
from facecond.commands.synthesize import prepare
from facecond.config.commands.synthesize import MapsFrom
from facecond.data.pack import Pack, PackWriter
from facecond.faces.attributes import attribute_index
from facecond.faces.labels import PALETTE
from facecond.faces.names import ATTRIBUTES, CLASSES
from facecond.io.documents import read_records
from facecond.io.images import read_image, read_label_map
from facecond.synthesized.folder import FaceRecord, attributes_of, read_exports
from tests.commands.conftest import Facecond, call

QUICK = ["run=multicond", "sampler.steps=1", "precision=float32", "parser=parser", "classifier=classifier"]
EASY = ["least_miou=0", "least_attributes=0", "tries=1"]


def synthesized(workspace: Path, *words: str) -> tuple[Path, list[FaceRecord]]:
    """The folder that is made, and its records."""
    folder = call("synthesize", f"workspace={workspace}", *QUICK, *words).made["records"].parent
    return folder, read_records(folder / "records.jsonl", FaceRecord)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder but the day in the Croissant metadata."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in ("croissant.json", "exports.json")
    }


def dealt(workspace: Path, name: str, splits: list[str]) -> Pack:
    """People of the drawn pack's training split as another pack, with other splits."""
    pack = Pack.open(workspace / "packs" / "drawn-64")
    count = len(splits)
    writer = PackWriter(
        workspace / "packs" / name, count=count, resolution=pack.resolution, source=pack.manifest["source"]
    )
    items = pack.indices("train")[:count]
    writer.write(slice(0, count), *(pack.arrays[key][items] for key in ("images", "labels", "attributes")))
    return writer.finish([pack.ids[item] for item in items], splits)


@pytest.fixture(scope="module")
def made(workspace: Path) -> tuple[Path, list[FaceRecord]]:
    """Twelve faces in all forms, every one accepted, some of them held out."""
    return synthesized(workspace, *EASY, "count=12", "name=made", "validation=0.3")


def test_labels_are_those_of_the_person_and_those_the_judges_read(
    made: tuple[Path, list[FaceRecord]], workspace: Path
) -> None:
    folder, records = made
    pack = Pack.open(workspace / "packs" / "drawn-64")
    parser, classifier = (
        load(workspace / "runs" / name, "cpu")
        for load, name in ((load_parser, "parser"), (load_classifier, "classifier"))
    )  # type: ignore[arg-type]
    assert [record["index"] for record in records] == list(range(12))
    assert len({record["source"] for record in records}) == 12  # nobody twice while there are others
    for record in records:
        item = pack.index_of(str(record["source"]))
        assert pack.splits[item] == "train"
        place, name = folder / "data" / record["split"], f"{record['index']:06d}.png"
        image = read_image(place / "images" / name)
        told, read = (read_label_map(place / kind / name) for kind in ("labels", "read"))
        np.testing.assert_array_equal(told, pack.labels[item])
        np.testing.assert_array_equal(attributes_of(record["attributes_told"]), pack.attributes[item])
        np.testing.assert_array_equal(read, parser(image[None])[0])
        found = classifier(image[None])[0]
        np.testing.assert_array_equal(attributes_of(record["attributes_read"]) > 0, found)
        assert record["attributes_right"] == pytest.approx(np.mean(found == (pack.attributes[item] > 0)))
        classes = np.unique(told)
        overlap = [np.sum((told == k) & (read == k)) / np.sum((told == k) | (read == k)) for k in classes]
        assert record["miou"] == pytest.approx(np.mean(overlap))


def test_a_pack_of_them_is_what_lies_in_the_folder_and_a_parser_learns_from_it(
    made: tuple[Path, list[FaceRecord]], workspace: Path
) -> None:
    folder, records = made
    pack = Pack.open(workspace / "packs" / "made-12")
    assert pack.ids == [f"{record['index']:06d}" for record in records]
    assert pack.splits == [record["split"] for record in records]
    assert {"train", "validation"} == {*pack.splits}
    for place, record in enumerate(records):
        files = folder / "data" / record["split"]
        np.testing.assert_array_equal(pack.images[place], read_image(files / "images" / f"{record['index']:06d}.png"))
        np.testing.assert_array_equal(
            pack.labels[place], read_label_map(files / "labels" / f"{record['index']:06d}.png")
        )
        np.testing.assert_array_equal(pack.attributes[place], attributes_of(record["attributes_told"]))
    words = ["debug=quick", "trainer.images=16", "model.network.width=8", "size=tiny", "trainer.tensorboard=false"]
    for kind in ("parser", "classifier"):
        call("train", f"workspace={workspace}", f"model={kind}", "pack=made-12", f"name=of-made-{kind}", *words)
        assert (workspace / "runs" / f"of-made-{kind}" / "done.json").is_file()


def test_datasets_reads_the_image_folder(made: tuple[Path, list[FaceRecord]], tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="no datasets: make test-formats")
    folder, records = made
    loaded = datasets.load_dataset("imagefolder", data_dir=str(folder / "data"), cache_dir=str(tmp_path))
    assert {name: len(split) for name, split in loaded.items()} == Counter(record["split"] for record in records)
    by_index = {record["index"]: record for record in records}
    for split, rows in loaded.items():
        for row in rows:
            record = by_index[row["index"]]
            assert record["split"] == split == row["split"]
            place, name = folder / "data" / split, f"{record['index']:06d}.png"
            np.testing.assert_array_equal(np.asarray(row["image"]), read_image(place / "images" / name))
            np.testing.assert_array_equal(np.asarray(row["labels"]), read_label_map(place / "labels" / name))
            np.testing.assert_array_equal(np.asarray(row["read"]), read_label_map(place / "read" / name))
            assert [row[attribute] for attribute in ATTRIBUTES] == attributes_of(record["attributes_told"]).tolist()
            assert [row[f"{each}_read"] for each in ATTRIBUTES] == attributes_of(record["attributes_read"]).tolist()
            assert (row["seed"], row["miou"]) == (record["seed"], record["miou"])
            assert row["person"] == f"item {record['source']}"


def test_pycocotools_reads_the_parts(made: tuple[Path, list[FaceRecord]]) -> None:
    coco = pytest.importorskip("pycocotools.coco", reason="no pycocotools: make setup")
    mask = pytest.importorskip("pycocotools.mask")
    folder, records = made
    seen = 0
    for split in ("train", "validation"):
        held = coco.COCO(str(folder / "annotations" / f"instances_{split}.json"))
        assert [each["name"] for each in held.loadCats(held.getCatIds())] == list(CLASSES[1:])
        numbers = [record["index"] + 1 for record in records if record["split"] == split]
        assert sorted(held.getImgIds()) == numbers
        for image in held.loadImgs(numbers):
            picture = Image.open(folder / image["file_name"])
            assert picture.size == (image["width"], image["height"])
            labels = read_label_map(str(folder / image["file_name"]).replace("/images/", "/labels/"))
            found = np.zeros_like(labels)
            for note in held.loadAnns(held.getAnnIds(imgIds=[image["id"]])):
                part, encoded = held.annToMask(note).astype(bool), held.annToRLE(note)
                assert not found[part].any()  # parts do not overlap
                found[part] = note["category_id"]
                assert note["area"] == mask.area(encoded)
                assert note["bbox"] == mask.toBbox(encoded).tolist()
                seen += 1
            np.testing.assert_array_equal(found, labels)
    assert seen > 50


def test_every_pixel_of_the_panoptic_pictures_has_its_class(made: tuple[Path, list[FaceRecord]]) -> None:
    folder, records = made
    for split in ("train", "validation"):
        held = json.loads((folder / "annotations" / f"panoptic_{split}.json").read_text())
        categories = {each["id"]: each for each in held["categories"]}
        assert {each["name"] for each in categories.values()} == {*CLASSES}
        assert len(held["annotations"]) == sum(record["split"] == split for record in records)
        for note in held["annotations"]:
            picture = read_image(folder / "annotations" / f"panoptic_{split}" / note["file_name"]).astype(int)
            ids = picture[..., 0] + 256 * picture[..., 1] + 65536 * picture[..., 2]
            assert {segment["id"]: segment["area"] for segment in note["segments_info"]} == {
                int(number): int(count) for number, count in zip(*np.unique(ids, return_counts=True), strict=True)
            }
            labels = read_label_map(folder / "data" / split / "labels" / note["file_name"])
            for segment in note["segments_info"]:
                name = categories[segment["category_id"]]["name"]
                np.testing.assert_array_equal(ids == segment["id"], labels == CLASSES.index(name))


def test_panoptic_quality_of_the_files_with_themselves_is_one(made: tuple[Path, list[FaceRecord]]) -> None:
    evaluation = pytest.importorskip("panopticapi.evaluation", reason="pip install panopticapi-lite")
    folder, records = made
    notes = folder / "annotations"
    file, pictures = str(notes / "panoptic_train.json"), str(notes / "panoptic_train")
    found = evaluation.pq_compute(file, file, pictures, pictures)
    maps = [
        read_label_map(folder / "data" / "train" / "labels" / f"{record['index']:06d}.png")
        for record in records if record["split"] == "train"
    ]  # fmt: skip
    assert (found["All"]["pq"], found["All"]["n"]) == (1.0, len(np.unique(maps)))


def test_mlcroissant_reads_the_metadata(made: tuple[Path, list[FaceRecord]]) -> None:
    croissant = pytest.importorskip("mlcroissant", reason="no mlcroissant: make test-formats")
    folder, records = made
    held = croissant.Dataset(str(folder / "croissant.json"))
    assert not held.metadata.ctx.issues.errors
    by_index = {record["index"]: record for record in records}
    rows = list(held.records("faces"))
    assert len(rows) == len(records)
    for row in rows:
        record = by_index[row["faces/index"]]
        place, name = folder / "data" / record["split"], f"{record['index']:06d}.png"
        np.testing.assert_array_equal(np.asarray(row["faces/image"]), read_image(place / "images" / name))
        assert (row["faces/split"].decode(), row["faces/person"].decode()) == (
            record["split"],
            f"item {record['source']}",
        )
        assert row["faces/miou"] == pytest.approx(record["miou"])
        assert [row[f"faces/{each}"] for each in ATTRIBUTES] == attributes_of(record["attributes_told"]).tolist()
        assert row["faces/Young_read"] == attributes_of(record["attributes_read"])[attribute_index("Young")]
    for kind in ("labels", "read"):
        maps = {row[f"{kind}/name"].decode(): np.asarray(row[f"{kind}/image"]) for row in held.records(f"{kind}")}
        assert len(maps) == len(records)
        for record in records:
            name = f"{record['index']:06d}.png"
            labels = read_label_map(folder / "data" / record["split"] / kind / name)
            np.testing.assert_array_equal(maps[name], PALETTE[labels])


def test_what_does_not_show_what_was_told_is_kept_apart_with_the_reason(workspace: Path) -> None:
    """Thresholds in the middle of what these faces come to, so that some are rejected."""
    _, free = synthesized(workspace, *EASY, "count=8", "name=free")
    middle = float(np.median([record["miou"] for record in free if record["miou"] is not None]))
    words = ["count=8", "name=strict", f"least_miou={middle}", "least_attributes=0", "tries=2", "forms=[imagefolder]"]
    folder, records = synthesized(workspace, *words)
    first = {record["index"]: record for record in records if record["attempt"] == 0}
    for record in free:  # the same seeds and conditions: the same faces
        again = first[record["index"]]
        assert (again["seed"], again["pixels"]) == (record["seed"], record["pixels"])
        assert again["accepted"] == (record["miou"] >= middle)
    assert 0 < sum(record["accepted"] for record in first.values()) < 8
    for record in records:
        name = f"{record['index']:06d}"
        rejected = folder / "rejected" / f"{name}-{record['attempt']}.png"
        assert rejected.is_file() != record["accepted"]
        assert (folder / "data" / record["split"] / "images" / f"{name}.png").is_file() or not record["accepted"]
        assert record["reasons"] == ([] if record["accepted"] else [f"map: mean IoU {record['miou']:.3f} < {middle:g}"])
        assert record["attempt"] == 0 or not first[record["index"]]["accepted"]
    tried = Counter(record["index"] for record in records)
    assert all(number == (1 if first[index]["accepted"] else 2) for index, number in tried.items())
    rows = [json.loads(line) for file in folder.glob("data/*/metadata.jsonl") for line in file.read_text().splitlines()]
    assert {row["index"] for row in rows} == {record["index"] for record in records if record["accepted"]}
    assert not (workspace / "packs" / "strict-8").exists()


def test_the_ceiling_is_of_real_pictures_that_no_judge_has_learnt_from(workspace: Path) -> None:
    """The judges learnt from the training split of this pack."""
    pack = Pack.open(workspace / "packs" / "drawn-64")
    judge = load_classifier(workspace / "runs" / "classifier", torch.device("cpu"))

    def share(split: str, least: float) -> float:
        items = pack.indices(split)
        right = (judge(np.asarray(pack.images[items])) == (np.asarray(pack.attributes[items]) > 0)).mean(axis=1)
        return float(np.mean(right >= least))

    least = next(k / 40 + 0.001 for k in range(40) if 0 < share("validation", k / 40 + 0.001) < 0.9)
    words = ["least_miou=0", "tries=1", f"least_attributes={least}", "parser=none", "forms=[imagefolder]"]
    words = [f"workspace={workspace}", *QUICK, *words]
    said = call("synthesize", *words, "count=8", "name=ceiling").facts["real pictures accepted"]
    assert said.startswith(f"{share('validation', least):.3f} of 16 validation faces")
    dealt(workspace, "known", ["train"] * 8 + ["validation"] * 4)
    said = call("synthesize", *words, "pack=known", "count=8", "name=known").facts["real pictures accepted"]
    assert said == "not measured: the judges learnt from every face of known"


def test_a_judge_that_does_not_say_what_it_learnt_from_has_no_ceiling(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*words: Any) -> Judge:
        return dataclasses.replace(load_classifier(*words), learnt_from=None)

    monkeypatch.setitem(LOADERS, "classifier", load)
    words = [f"workspace={workspace}", *QUICK, *EASY, "count=1", "forms=[imagefolder]", "parser=none"]
    facts = call("synthesize", *words, "name=unknown").facts
    assert facts["real pictures accepted"].startswith("not measured: it is not known which faces")
    facts = call("synthesize", *words, "classifier=none", "name=unjudged").facts
    assert "real pictures accepted" not in facts  # nobody to ask


def test_nothing_accepted_is_one_line_and_keeps_the_faces(workspace: Path, facecond: Facecond) -> None:
    words = ["synthesize", f"workspace={workspace}", *QUICK, "count=2", "tries=2", "least_miou=1", "name=none"]
    status, _, err = facecond(*words)
    assert status == 2
    assert "none of the 4 faces made was accepted, mostly for map" in err
    assert len(list((workspace / "synthesized" / "none" / "rejected").iterdir())) == 4
    assert not (workspace / "packs" / "none-2").exists()


def test_a_larger_count_continues_and_what_is_gone_is_made_again(workspace: Path) -> None:
    words = [*EASY, "name=grown", "batch_size=2"]
    few, _ = synthesized(workspace, *words, "count=3")
    before = contents(few / "data")
    folder, records = synthesized(workspace, *words, "count=7")
    whole = contents(folder)
    assert {
        name: content for name, content in contents(folder / "data").items() if name in before and ".png" in name
    } == {name: content for name, content in before.items() if ".png" in name}
    assert Pack.open(workspace / "packs" / "grown-3").ids == Pack.open(workspace / "packs" / "grown-7").ids[:3]
    gone = folder / "data" / records[1]["split"] / "images" / "000001.png"
    gone.unlink()
    (folder / "annotations" / "instances_train.json").unlink()
    synthesized(workspace, *words, "count=7")
    assert contents(folder) == whole
    facts = call("synthesize", f"workspace={workspace}", *QUICK, *words, "count=3").facts  # all seven stay
    assert (facts["faces"], facts["made now"]) == (7, 0)
    assert contents(folder) == whole


@pytest.mark.slow
def test_killed_in_the_middle_it_comes_to_the_same_end(workspace: Path) -> None:
    words = [*QUICK, *EASY, "count=12", "batch_size=2"]
    command = [sys.executable, "-m", "facecond", "synthesize", f"workspace={workspace}", *words]
    call("synthesize", f"workspace={workspace}", *words, "name=whole")
    expected, place = contents(workspace / "synthesized" / "whole" / "data"), workspace / "synthesized" / "killed"
    kills = 0
    while True:
        child = subprocess.Popen([*command, "name=killed"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        written = len(list(place.glob("data/*/images/*.png")))
        while child.poll() is None and len(list(place.glob("data/*/images/*.png"))) < written + 3:
            time.sleep(0.01)
        if child.poll() is not None:
            break
        child.send_signal(signal.SIGKILL)
        child.wait()
        kills += 1
    assert child.returncode == 0
    assert kills >= 2
    assert contents(place / "data") == expected
    assert (
        Pack.open(workspace / "packs" / "killed-12").manifest["sha256"]
        == Pack.open(workspace / "packs" / "whole-12").manifest["sha256"]
    )


def test_pairs_are_shown_in_turn_by_people_of_whom_they_hold(workspace: Path) -> None:
    pack = Pack.open(workspace / "packs" / "drawn-64")
    train = pack.attributes[pack.indices("train")]
    smiling, young = attribute_index("Smiling"), attribute_index("Young")
    having = {
        pack.ids[item] for item in pack.indices("train")
        if pack.attributes[item, smiling] == 1 and pack.attributes[item, young] == -1
    }  # fmt: skip
    assert 0 < len(having) < len(train)
    words = [
        "pairs=[Smiling-Young]",
        "pairs_share=0.5",
        "named=false",
        *EASY,
        "count=10",
        "name=paired",
        "forms=[imagefolder]",
    ]
    _, records = synthesized(workspace, *words)
    asked = [record for record in records if record["asked"]]
    assert len(asked) == 5
    for record in asked:
        assert record["asked"] == "+Smiling,-Young"
        assert record["source"] in having
        assert attributes_of(record["attributes_told"])[[smiling, young]].tolist() == [1, -1]


def test_balanced_attributes_are_nearer_to_one_half_than_those_of_the_people(workspace: Path) -> None:
    pack = Pack.open(workspace / "packs" / "drawn-64")
    own = (pack.attributes[pack.indices("train")] > 0).mean(axis=0)
    _, records = synthesized(
        workspace, *EASY, "attributes=balanced", "count=24", "name=balanced", "forms=[imagefolder]"
    )
    told = np.mean([attributes_of(record["attributes_told"]) > 0 for record in records], axis=0)
    assert np.mean((told - 0.5) ** 2) < 0.8 * np.mean((own - 0.5) ** 2)


def test_exchanged_maps_have_the_part_of_somebody_else(workspace: Path) -> None:
    words = ["maps_from=exchanged", "parts=[hair]", *EASY, "count=6", "name=exchanged", "forms=[imagefolder]"]
    folder, records = synthesized(workspace, *words)
    pack = Pack.open(workspace / "packs" / "drawn-64")
    hair, moved = CLASSES.index("hair"), 0
    colours = [attribute_index(name) for name in ("Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair", "Wavy_Hair")]
    for record in records:
        own = pack.labels[pack.index_of(str(record["source"]))]
        told = read_label_map(folder / "data" / record["split"] / "labels" / f"{record['index']:06d}.png")
        other = str(record["description"]["mask"]).rpartition("hair as in ")[2].partition(",")[0]
        assert other in pack.ids
        assert other != record["source"]
        away = (own != hair) & (told != hair)
        moved += int((own != told).sum())
        assert (own != told)[away].mean() < 0.25  # what lay below the own hair shows
        theirs = pack.attributes[pack.index_of(other)]
        assert attributes_of(record["attributes_told"])[colours].tolist() == theirs[colours].tolist()
    assert moved > 0


@pytest.mark.parametrize(
    "words",
    [
        ["maps_from=exchanged", "pairs=[Eyeglasses+Wearing_Hat,Mouth_Slightly_Open-Eyeglasses]"],
        ['attr="+Eyeglasses,+Mouth_Slightly_Open"'],
        ["attr=+Mouth_Slightly_Open", "split=validation"],
    ],
)
def test_nobody_shows_in_both_splits_not_even_by_a_part(words: list[str], workspace: Path) -> None:
    pack = Pack.open(workspace / "packs" / "drawn-64")
    easy = [
        *EASY,
        "named=false",
        "validation=0.4",
        "count=24",
        f"name=apart-{len(''.join(words))}",
        "forms=[imagefolder]",
    ]
    _, records = synthesized(workspace, *easy, *words)
    shown: dict[str, set[str]] = {"train": set(), "validation": set()}
    given = Counter[str]()
    for record in records:
        own, *others = re.findall(r"as in (\w+)", str(record["description"]["mask"]))
        assert own == record["source"]
        shown[record["split"]] |= {own, *others}
        given[record["split"]] += len(others)
        assert {pack.splits[pack.index_of(name)] for name in others} <= {pack.splits[pack.index_of(own)]}
    assert min(given["train"], given["validation"]) > 0
    assert not shown["train"] & shown["validation"]


def test_a_set_with_parts_across_the_splits_is_not_continued(workspace: Path, facecond: Facecond) -> None:
    words = [*EASY, "maps_from=exchanged", "count=1", "name=across", "forms=[imagefolder]"]
    folder, _ = synthesized(workspace, *words)
    head = json.loads((folder / "synthesis.json").read_text())
    del head["made_with"]["parts_of"], head["checksum"]
    (folder / "synthesis.json").write_text(json.dumps(head))
    status, _, err = facecond("synthesize", f"workspace={workspace}", *QUICK, *words)
    assert (status, "was made with parts_of" in err) == (2, True)


def test_parts_are_exchanged_in_both_splits_or_the_people_are_too_few(workspace: Path, facecond: Facecond) -> None:
    for count, name in ((3, "three"), (4, "four")):
        dealt(workspace, name, ["train"] * count)
    words = [*EASY, "maps_from=exchanged", "forms=[imagefolder]"]
    status, _, err = facecond("synthesize", f"workspace={workspace}", *QUICK, *words, "pack=three", "name=of-three")
    assert (status, "has 3 people, expected 4 or more" in err, "validation=0" in err) == (2, True, True)
    assert not [path for path in (workspace / "synthesized" / "of-three").rglob("*") if path.is_file()]
    _, records = synthesized(workspace, *words, "pack=four", "name=of-four", "count=4")
    assert Counter(record["split"] for record in records) == {"train": 2, "validation": 2}
    assert all("hair as in" in str(record["description"]["mask"]) for record in records)


def test_judges_can_be_left_out_and_labels_be_those_that_are_read(workspace: Path) -> None:
    words = [*QUICK[:3], "parser=none", "classifier=none", "count=2", "name=unread", "forms=[pack,imagefolder]"]
    named = call("synthesize", f"workspace={workspace}", *words).made
    assert len({*named.values()}) == len(named)  # nothing is named twice
    assert "COCO" not in (workspace / "synthesized" / "unread" / "README.md").read_text()
    (row, _) = read_records(workspace / "synthesized" / "unread" / "records.jsonl", FaceRecord)
    assert (row["miou"], row["attributes_read"], row["read"], row["accepted"]) == (None, None, None, True)
    folder, records = synthesized(workspace, "run=attr", *EASY, "count=4", "name=by-attributes")
    pack = Pack.open(workspace / "packs" / "by-attributes-4")
    for place, record in enumerate(records):
        assert record["labels"] is None  # it was told no map
        read = read_label_map(folder / "data" / record["split"] / "read" / f"{record['index']:06d}.png")
        np.testing.assert_array_equal(pack.labels[place], read)
        np.testing.assert_array_equal(pack.attributes[place], attributes_of(record["attributes_read"]))


def test_an_altered_file_is_found_and_made_again(workspace: Path, facecond: Facecond) -> None:
    words = [*EASY, "count=3", "name=altered"]
    folder, records = synthesized(workspace, *words)
    whole = contents(folder)
    assert facecond("verify", folder, f"workspace={workspace}")[0] == 0
    place, name = folder / "data" / records[0]["split"], "000000.png"
    for file in (place / "images" / name, place / "labels" / name, place / "read" / name):
        picture = Image.open(file)
        pixels = np.array(picture)
        pixels.flat[0] ^= 1
        altered = Image.fromarray(pixels, picture.mode)
        if picture.mode == "P":
            altered.putpalette(picture.getpalette())
        altered.save(file)
        status, out, _ = facecond("verify", folder, f"workspace={workspace}", "--json")
        assert status == 2
        assert [row[0] for row in json.loads(out)["tables"]["damaged"][1:]] == [str(file)]
        file.unlink()
        synthesized(workspace, *words)
        assert contents(folder) == whole
    for file in (place / "metadata.jsonl", next(folder.glob("annotations/panoptic_*/*.png")), folder / "README.md"):
        content = file.read_bytes()
        file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        status, out, _ = facecond("verify", folder, f"workspace={workspace}", "--json")
        assert (status, [row[0] for row in json.loads(out)["tables"]["damaged"][1:]]) == (2, [str(file)])
        file.unlink()
        (folder / "exports.json").unlink()
        synthesized(workspace, *words)
        assert contents(folder) == whole


def test_a_folder_of_something_else_and_other_settings_are_refused(workspace: Path, facecond: Facecond) -> None:
    place = workspace / "synthesized" / "taken"
    place.mkdir(parents=True)
    (place / "notes.txt").write_text("mine")
    words = ["synthesize", f"workspace={workspace}", *QUICK, *EASY, "count=1", "forms=[imagefolder]"]
    status, _, err = facecond(*words, "name=taken")
    assert (status, "holds other files and no synthesis.json" in err) == (2, True)
    assert [path.name for path in place.iterdir()] == ["notes.txt"]
    assert facecond(*words, "name=once")[0] == 0
    status, _, err = facecond(*words, "name=once", "seed=1")
    assert (status, "was made with seed" in err) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("run=nobody", "run 'nobody' is neither a folder nor in"),
        ("run=multicond attributes=most", "balanced"),
        ("run=multicond count=0", "out of range"),
        ("run=multicond tries=0", "out of range"),
        ("run=multicond least_miou=1.5", "out of range"),
        ("run=multicond pairs=[Eyeglasses]", "is not two attributes or more"),
        ("run=multicond pairs=[Eyeglases+Wearing_Hat]", "Eyeglasses"),
        ("run=multicond pairs=[Male+Young-Male]", "both signs"),
        ("run=multicond pairs_share=0.2", "pairs_share has no effect without pairs="),
        ("run=multicond parts=[hair]", "parts has no effect unless maps are exchanged"),
        ("run=multicond maps_from=exchanged parts=[hairs]", "unknown part 'hairs'"),
        ("run=multicond maps_from=exchanged parts=[]", "no parts to exchange"),
        ("run=multicond maps_from=drawn", "no generator of maps fits"),
        ("run=multicond maps_from=drawn maps=none", "maps_from=drawn and maps=none"),
        ("run=multicond maps=none", "maps has no effect unless maps are drawn"),
        ("run=multicond attributes=given", "attributes=given, and none are"),
        ("run=multicond attributes=given --attr +Smiling maps_from=data", "nobody to take a map from"),
        ("run=multicond --attr +Smilling", "Smiling"),
        ("run=multicond forms=[packs]", "'packs' is not a form"),
        ("run=multicond forms=[]", "forms=[] writes nothing"),
        ("run=multicond forms=[pack,croissant]", "croissant describes the image folder"),
        ("run=multicond split=test", "has no such people"),
        ("run=multicond parser=nobody", "run 'nobody' is neither a folder nor in"),
        ("run=multicond parser=classifier", "is a run of a classifier model, expected parser"),
        ("run=multicond parser=none labels=read", "labels are to be read, and there is no parser"),
        ("run=attr maps_from=exchanged", "maps_from has no effect for a model that is told no maps"),
        ("run=attr labels=told", "is told no maps"),
        ("run=multicond leest_miou=1", "least_miou"),
    ],
)
def test_wrong_words_end_in_one_line(words: str, told: str, workspace: Path, facecond: Facecond) -> None:
    before = sorted(workspace.glob("*/*"))
    status, _, err = facecond("synthesize", *words.split(), f"workspace={workspace}")
    assert status == 2
    assert told in err
    assert len([line for line in err.splitlines() if line.startswith("facecond:")]) == 1
    assert sorted(workspace.glob("*/*")) == before


def test_packs_with_labels_told_and_read_lie_beside_one_another(workspace: Path, facecond: Facecond) -> None:
    words = [*EASY, "count=3", "name=both", "forms=[pack,coco]"]
    folder, records = synthesized(workspace, *words)
    synthesized(workspace, *words, "labels=read")
    for name, kind in (("both-3", "labels"), ("both-3-read", "read")):
        pack = Pack.open(workspace / "packs" / name)
        for place, record in enumerate(records):
            file = folder / "data" / record["split"] / kind / f"{record['index']:06d}.png"
            np.testing.assert_array_equal(pack.labels[place], read_label_map(file))
    assert read_exports(folder)["labels"] == "read"
    assert facecond("runs", f"workspace={workspace}", "--json")[1].count("pack=both-3-read") >= 1


def test_a_pack_in_the_way_is_refused_before_anything_is_written(workspace: Path, facecond: Facecond) -> None:
    dealt(workspace, "way-2", ["train"] * 4)
    words = ["synthesize", f"workspace={workspace}", *QUICK, *EASY, "count=2", "forms=[pack,coco]"]
    status, _, err = facecond(*words, "name=way")
    assert (status, "way-2 is a finished pack with kind='drawn', not 'synthesized'" in err) == (2, True)
    assert not [path for path in (workspace / "synthesized" / "way").rglob("*") if path.is_file()]
    folder, _ = synthesized(workspace, *words[4:], "name=other")
    shutil.rmtree(folder)
    status, _, err = facecond(*words, "name=other", "seed=1")  # made by the same run; only the faces are others
    assert (status, "other-2 is a finished pack with faces=" in err) == (2, True)
    assert (folder / "records.jsonl").is_file()
    assert not (folder / "exports.json").exists()
    assert not (folder / "annotations").exists()


def test_a_pack_of_people_in_neither_split_is_refused_unless_theirs_is_named(
    workspace: Path, facecond: Facecond
) -> None:
    dealt(workspace, "tested", ["test"] * 4)
    words = ["synthesize", f"workspace={workspace}", *QUICK, *EASY, "pack=tested", "count=2", "name=of-tested"]
    status, _, err = facecond(*words)
    (said,) = (line for line in err.splitlines() if line.startswith("facecond:"))
    assert (status, "nobody in its train or validation split" in said, "split=test" in err) == (2, True, True)
    assert not (workspace / "synthesized" / "of-tested").exists()
    status, _, err = facecond(*words, "split=test", "parser=null", "classifier=null")  # the judges are found, too
    assert status == 0, err


@pytest.mark.bundled
@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], MapsFrom.data),
        (["attr='+Smiling'"], MapsFrom.drawn),
        (["pairs=[Eyeglasses+Wearing_Hat]"], MapsFrom.drawn),
        (["attr='+Smiling'", "maps=none"], MapsFrom.data),
        (["attr='+Smiling'", "maps_from=data"], MapsFrom.data),
        (["attr='+Smiling'", "maps_from=exchanged"], MapsFrom.exchanged),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else value.name,
)
def test_maps_are_drawn_for_who_is_said_to_be_shown(words: list[str], expected: MapsFrom, tmp_path: Path) -> None:
    found = prepare([f"workspace={tmp_path}", *words]).found
    assert found.maps_from is expected
    assert (found.maps is not None) == (expected is MapsFrom.drawn)


def test_maps_are_those_of_the_people_where_nothing_draws_them(workspace: Path) -> None:
    found = prepare([f"workspace={workspace}", *QUICK, "attr='+Smiling'"]).found
    assert (found.maps_from, found.maps) == (MapsFrom.data, None)
