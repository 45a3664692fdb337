"""`facecond verify`: a whole workspace passes, one flipped bit in any file is found, and what can be mended is."""

import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from facecond.data.arrays import FINISHED_FILE
from facecond.io import reproduced
from facecond.io.documents import note_finished
from facecond.io.files import sha256_file
from facecond.io.images import read_image, read_label_map
from facecond.io.lock import hold
from facecond.measuring.kept import Kept
from facecond.workspace.kinds import KINDS, places_of
from facecond.workspace.verify import verify
from tests.commands.conftest import Facecond, call

NOT_VOUCHED = {".lock", ".owner", ".md", ".csv", ".tex", ".html"}
"""Endings of files that are for people, and of locks."""

FOR_PEOPLE = {"grid.png", "sheet.png"}


@pytest.fixture(scope="module")
def whole(whole_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one of everything, for this file."""
    return shutil.copytree(whole_once, tmp_path_factory.mktemp("verified") / "workspace")


def files(workspace: Path) -> list[Path]:
    """The files that something vouches for."""
    found = [path for path in sorted(workspace.rglob("*")) if path.is_file() and "tensorboard" not in path.parts]
    return [
        path for path in found
        if path.suffix not in NOT_VOUCHED and path.name not in FOR_PEOPLE and not path.name.startswith(".")
    ]  # fmt: skip


def flipped(path: Path) -> tuple[int, int]:
    """A place in a file and a bit, the same in every run."""
    digest = int.from_bytes(hashlib.sha256(f"{path.parent.name}/{path.name}".encode()).digest()[:8], "big")
    return digest % path.stat().st_size, 1 << (digest >> 60) % 8


def test_a_whole_workspace_passes(whole: Path, facecond: Facecond) -> None:
    status, out, err = facecond("verify", f"workspace={whole}", "--json")
    assert status == 0, err
    facts = json.loads(out)["facts"]
    assert facts["damaged"] == 0
    assert facts["nothing vouches for"] == 0
    assert facts["files read"] > 60


@pytest.fixture
def opened() -> Iterator[set[Path]]:
    """The files that this process opens, as Python's audit events say; the hook stays, and does nothing after the test."""
    found: set[Path] = set()
    on = True

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if on and event == "open" and isinstance(arguments[0], str | os.PathLike):
            found.add(Path(arguments[0]))

    sys.addaudithook(hear)
    yield found
    on = False


def test_every_file_is_opened(whole: Path, opened: set[Path]) -> None:
    """And one of every kind is there."""
    assert verify([whole]).findings == []
    left = {path.relative_to(whole) for path in files(whole) if path not in opened}
    assert left == set()
    kinds = {path.relative_to(whole).parts[0] for path in files(whole)}
    assert kinds == {"packs", "runs", "samples", "results", "parsed", "features", "edits", "synthesized", "exports"}


@pytest.mark.slow
def test_one_flipped_bit_is_found_in_any_file(whole: Path) -> None:
    missed, tried = [], 0
    for path in files(whole):
        content = path.read_bytes()
        place, bit = flipped(path)
        damaged = bytearray(content)
        damaged[place] ^= bit
        path.write_bytes(damaged)
        tried += 1
        found = {finding.path for finding in verify([folder_of(path, whole)]).findings}
        if path not in found and not found & neighbours(path) and not harmless(path, content):
            missed.append((str(path.relative_to(whole)), place, bit))
        path.write_bytes(content)
    assert missed == []
    assert tried > 60


def folder_of(path: Path, workspace: Path) -> Path:
    """The run, pack, generation, ... a file belongs to."""
    parts = path.relative_to(workspace).parts
    return workspace / parts[0] if parts[0] == "features" else workspace.joinpath(*parts[:2])


def neighbours(path: Path) -> set[Path]:
    """Where a fault may be reported instead: what vouches for a file and is read first."""
    return {
        path.with_name("manifest.json"), path.with_name("records.jsonl"), path.parent.parent / "records.jsonl",
        path.with_suffix(".npy"), path.with_name("weights.safetensors"), path.with_name("done.json"),
    }  # fmt: skip


def harmless(path: Path, before: bytes) -> bool:
    """Whether a flip changed nothing that is read: a picture's pixels, the name of a checksum, finished.json's time."""
    if path.suffix == ".png":
        damaged = read_image(path)
        path.write_bytes(before)
        return bool(np.array_equal(read_image(path), damaged))
    if path.suffix in (".json", ".jsonl"):
        try:
            damaged, whole = (
                [json.loads(line) for line in lines] for lines in (documents(path.read_bytes()), documents(before))
            )
        except ValueError:
            return False
        return path.name == "finished.json" or all(
            there[key] == value
            for there, line in zip(damaged, whole, strict=True)
            for key, value in line.items()
            if key != "checksum"
        )
    return False


def documents(content: bytes) -> list[bytes]:
    """The JSON values of a file: one, or one a line."""
    return [content] if content.startswith(b"{\n") else content.splitlines()


def test_of_an_export_each_damaged_or_missing_file_is_named(whole: Path, tmp_path: Path, facecond: Facecond) -> None:
    place = Path(shutil.copytree(whole / "exports", tmp_path / "exports")) / "exported"
    page, step, script = place / "index.html", place / "networks" / "picture-step.onnx", place / "worker.js"
    page.write_bytes(page.read_bytes()[:-1] + b" ")  # as long as before
    step.unlink()
    script.unlink()
    script.symlink_to(whole / "exports" / "exported" / "worker.js")
    (place / "CNAME").write_text("faces.example")
    status, out, _ = facecond("verify", tmp_path, "--json")
    result = json.loads(out)
    rows = {row[0]: row[1:] for row in result["tables"]["damaged"][1:]}
    assert status == 2
    assert rows.keys() == {str(page), str(step), str(script)}
    digests = [hashlib.sha256(content).hexdigest() for content in (page.read_bytes(), _whole(page, whole))]
    assert all(digest[:12] in rows[str(page)][0] for digest in digests)
    assert rows[str(step)][0] == "is missing"
    assert "leads out of" in rows[str(script)][0]
    assert all("facecond export" in said[1] for name, said in rows.items() if name != str(script))
    assert result["facts"]["nothing vouches for"] == 1  # for what others put there
    record = place / "export.json"
    record.write_text(record.read_text().replace('"people": 2', '"people": 3'))
    status, out, _ = facecond("verify", place, "--json")
    ((file, what, todo),) = json.loads(out)["tables"]["damaged"][1:]
    assert (status, file) == (2, str(record))
    assert what.startswith("was altered")
    assert "facecond export" in todo


def test_an_altered_table_of_a_reproduction_is_named(tmp_path: Path, facecond: Facecond) -> None:
    folder = tmp_path / "reproduced" / "edits-1"
    reproduced.begin(folder, "Edits", ["edits"])
    tables = [folder / "table.md", folder / "table1.csv"]
    for file in tables:
        file.write_text("1.0\n")
    reproduced.finish(folder, "Edits", ["edits"], tables)
    assert facecond("verify", tmp_path)[0] == 0
    tables[0].write_text("2.0\n")
    tables[1].unlink()
    status, out, _ = facecond("verify", tmp_path, "--json")
    rows = json.loads(out)["tables"]["damaged"][1:]
    assert status == 2
    assert [row[0] for row in rows] == [*map(str, tables)]
    assert hashlib.sha256(b"2.0\n").hexdigest()[:12] in rows[0][1]
    assert "is missing" in rows[1][1]
    assert all("facecond reproduce" in row[2] for row in rows)


def test_a_name_that_leads_out_of_a_synthesized_set_is_one_finding_of_several(
    whole: Path, tmp_path: Path, facecond: Facecond
) -> None:
    place = Path(shutil.copytree(whole / "synthesized", tmp_path / "synthesized")) / "synthesized"
    exports = place / "exports.json"
    content = json.loads(exports.read_text())
    damaged = place / next(iter(content["sha256"]))
    damaged.write_bytes(b"other")
    content.pop("checksum")
    content["sha256"] = {"../../outside": "0" * 64, **content["sha256"]}
    exports.write_text(json.dumps(content))
    status, out, _ = facecond("verify", tmp_path, "--json")
    assert status == 2
    found = {row[0] for row in json.loads(out)["tables"]["damaged"][1:]}
    assert found == {str(place / "../../outside"), str(damaged)}


def test_pictures_and_arrays_outside_of_their_folder_are_not_read(
    whole: Path, tmp_path: Path, opened: set[Path]
) -> None:
    """A record of photographs, one of edits and a pack's manifest name a file that lies beside the workspace."""
    workspace = Path(shutil.copytree(whole, tmp_path / "workspace"))
    outside = tmp_path / "outside.png"
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(outside)
    expected = set()
    for kind in ("parsed", "edits"):
        records = next((workspace / kind).glob("*/records.jsonl"))
        lines = [json.loads(line) for line in records.read_text().splitlines()]
        lines[0]["name"] = f"{os.path.relpath(outside, records.parent / 'images')[: -len('.png')]}"
        lines[0].pop("checksum", None)
        records.write_text("".join(json.dumps(line) + "\n" for line in lines))
        expected.add(records.parent)
    manifest = next((workspace / "packs").glob("*/manifest.json"))
    content = json.loads(manifest.read_text())
    content.pop("checksum", None)
    content["sha256"][os.path.relpath(outside, manifest.parent)] = "0" * 64
    manifest.write_text(json.dumps(content))
    note_finished(manifest.with_name(FINISHED_FILE), manifest_sha256=sha256_file(manifest))
    opened.clear()
    found = verify([workspace]).findings
    said = {finding.what for finding in found if "is no file of" in finding.what}
    assert {folder for folder in (*expected, manifest.parent) if any(str(folder) in each for each in said)} == {
        *expected, manifest.parent,
    }  # fmt: skip
    assert not any(path.resolve() == outside.resolve() for path in opened)


def test_a_file_and_a_folder_that_cannot_be_read_are_findings(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fails; all the rest is looked at."""
    workspace = Path(shutil.copytree(whole, tmp_path / "workspace"))
    picture = next((workspace / "samples").glob("*/images/000001.png"))
    picture.write_bytes(b"")
    results, closed = next((workspace / "results").glob("*/results.json")), workspace / "edits"
    scandir = os.scandir

    def failing(path: Path) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def refusing(path: str | Path) -> object:
        if Path(path) == closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return scandir(path)

    monkeypatch.setattr("facecond.io.results.read_results", failing)
    monkeypatch.setattr(os, "scandir", refusing)
    found = {finding.path: finding.what for finding in verify([workspace]).findings}
    assert found[results] == f"cannot be read: {os.strerror(errno.EIO)}"
    assert found[closed].endswith(f"cannot be read: {os.strerror(errno.EACCES)}")
    assert picture in found
    assert found.keys() == {picture, closed, *(workspace / "results").glob("*/results.json")}


def test_of_many_pictures_and_weights_each_that_cannot_be_read_is_named(
    whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read error names no file, and it may come of any; what can be mended still is."""
    workspace = Path(shutil.copytree(whole, tmp_path / "workspace"))
    first, second = sorted(next((workspace / "samples").glob("*/images.npy")).parent.glob("images/*.png"))[:2]
    second.write_bytes(b"")
    weights = next((workspace / "runs").glob("*/weights.safetensors"))
    labels = next((workspace / "synthesized").glob("*/data/*/labels/*.png"))

    def failing(read: Callable[..., object], bad: Path) -> Callable[..., object]:
        def look(path: Path, *more: object, **named: object) -> object:
            if path == bad:
                raise OSError(errno.EIO, os.strerror(errno.EIO), *([str(bad)] if bad == labels else []))
            return read(path, *more, **named)

        return look

    monkeypatch.setattr("facecond.io.images.read_image", failing(read_image, first))
    monkeypatch.setattr("facecond.synthesized.folder.read_label_map", failing(read_label_map, labels))
    monkeypatch.setattr("facecond.workspace.verify.sha256_file", failing(sha256_file, weights))
    found = {finding.path: finding for finding in verify([workspace]).findings}
    assert found.keys() == {first, second, weights, labels}
    assert all("cannot be read" in found[path].what for path in (first, weights, labels))
    assert all(found[path].mend for path in (first, second))


def test_lost_manifests_within_a_pack_and_a_folder_of_generations(whole: Path, tmp_path: Path) -> None:
    workspace = Path(shutil.copytree(whole, tmp_path / "workspace"))
    latents = next((workspace / "packs").glob("*/latents/*/manifest.json"))
    one = next((workspace / "samples").glob("*/generation.json")).parent
    for name in ("a", "b"):
        shutil.copytree(one, workspace / "samples" / "both" / name)
    assert verify([workspace]).findings == []
    lost = {latents, workspace / "samples" / "both" / "a" / "generation.json"}
    for file in lost:
        file.unlink()
    assert {finding.path for finding in verify([workspace]).findings} == lost


@pytest.mark.parametrize("kind", [place for name, kind in KINDS.items() if kind.always for place in places_of(name)])
def test_a_lost_manifest_is_a_finding(kind: str, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the workspace is named, the folder of its kind, or itself; not while somebody writes into it."""
    monkeypatch.chdir(tmp_path)
    folder = Path(shutil.copytree(next((whole / kind.replace("swaps", "samples")).glob("[!.]*/")), f"here/{kind}/one"))
    marker = folder / KINDS[kind.replace("swaps", "samples")].marker
    places = [Path("here"), folder.parent, folder]
    assert [verify([place]).findings for place in places] == [[], [], []]
    marker.unlink()
    for place in places:
        ((path, what),) = [(finding.path, finding.what) for finding in verify([place]).findings]
        assert (path, what) == (marker, "is missing")
    with hold(folder):
        assert verify(places).findings == []
    marker.touch()  # whatever it says: what lies in the folder is none of a kind, though the folder were called like one
    named = Path(shutil.copytree(folder, folder.with_name(kind)))
    within = [named, *(path for path in sorted(named.iterdir()) if path.is_dir())]
    assert not [finding for finding in verify(within).findings if finding.what == "is missing"]
    shutil.rmtree(named)
    shutil.rmtree(folder)
    folder.mkdir()
    assert verify(places).findings == []


def _whole(path: Path, workspace: Path) -> bytes:
    return (workspace / "exports" / "exported" / path.name).read_bytes()


def test_what_can_be_mended_is(whole: Path, tmp_path: Path, facecond: Facecond) -> None:
    workspace = shutil.copytree(whole, tmp_path / "workspace")
    generation = next(path for path in (workspace / "samples").iterdir() if (path / "images.npy").is_file())
    feature = next((workspace / "features").glob("*.npy"))
    png, other = (generation / "images" / f"{index:06d}.png" for index in (0, 1))
    pixels = read_image(png)
    rows = np.load(generation / "images.npy")
    png.write_bytes(other.read_bytes())
    damaged = rows.copy()
    damaged[2, 0, 0] ^= 1
    np.save(generation / "images.npy", damaged)
    feature.write_bytes(feature.read_bytes()[:-1])
    status, out, _ = facecond("verify", f"workspace={workspace}", "--json")
    assert status == 2
    result = json.loads(out)
    assert {row[0] for row in result["tables"]["damaged"][1:]} == {
        str(png),
        str(generation / "images.npy"),
        str(feature),
    }
    assert result["next"] == [f"facecond verify --repair workspace={workspace}"]
    status, out, _ = facecond(
        "verify", str(generation), str(workspace / "features"), "--repair", f"workspace={workspace}"
    )
    assert status == 0
    np.testing.assert_array_equal(read_image(png), pixels)
    np.testing.assert_array_equal(np.load(generation / "images.npy"), rows)
    assert not feature.exists()


def test_weights_are_written_again_from_the_last_checkpoint(whole: Path, tmp_path: Path, facecond: Facecond) -> None:
    """What the finding says helps."""
    workspace = shutil.copytree(whole, tmp_path / "workspace")
    run = workspace / "runs" / "parser"
    weights = run / "weights.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    status, out, _ = facecond("verify", f"workspace={workspace}", "--json")
    assert status == 2
    ((_, file, what, todo),) = [[None, *row] for row in json.loads(out)["tables"]["damaged"][1:]]
    assert file == str(weights)
    assert what.startswith("its SHA-256 is ")
    assert todo.startswith("delete it and done.json, give the training command again")
    words = json.loads((run / "run.json").read_text())["overrides"]
    weights.unlink()
    (run / "done.json").unlink()
    call("train", *(f"workspace={workspace}" if word.startswith("workspace=") else word for word in words))
    assert weights.read_bytes() == content
    assert facecond("verify", f"workspace={workspace}")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"), [(["nowhere"], "nowhere: no such file or folder"), (["repair=maybe"], "repair")]
)
def test_wrong_words(facecond: Facecond, words: list[str], said: str) -> None:
    status, _, err = facecond("verify", *words)
    assert status == 2
    assert said in err


def test_a_picture_that_is_gone_is_named_and_the_rest_is_mended(
    whole: Path, tmp_path: Path, facecond: Facecond
) -> None:
    workspace = shutil.copytree(whole, tmp_path / "workspace")
    generation = next(path for path in (workspace / "samples").iterdir() if (path / "images.npy").is_file())
    feature = next((workspace / "features").glob("*.npy"))
    feature.write_bytes(feature.read_bytes()[:-1])
    (generation / "images.npy").unlink()
    (generation / "images" / "000000.png").unlink()
    status, out, _ = facecond("verify", f"workspace={workspace}", "--repair", "--json")
    assert status == 2
    result = json.loads(out)
    assert [row[0] for row in result["tables"]["damaged"][1:]] == [str(generation / "images" / "000000.png")]
    assert result["tables"]["damaged"][1][2].startswith("delete it: the command that sampled it")
    assert [row[0] for row in result["tables"]["mended"][1:]] == [str(feature)]


def test_the_gaussian_of_features_is_whole_or_deleted(tmp_path: Path, facecond: Facecond) -> None:
    kept = Kept(tmp_path / "features" / "0123.npy", 3)
    kept.keep(np.ones((3, 2), dtype=np.float32))
    kept.gaussian().keep(np.ones((3, 2)))
    file = tmp_path / "features" / "0123.gaussian.npy"
    assert facecond("verify", f"workspace={tmp_path}")[0] == 0
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    status, out, _ = facecond("verify", f"workspace={tmp_path}", "--json")
    assert status == 2
    assert [row[0] for row in json.loads(out)["tables"]["damaged"][1:]] == [str(file)]
    assert facecond("verify", f"workspace={tmp_path}", "--repair")[0] == 0
    assert sorted(path.name for path in file.parent.glob("[!.]*.npy")) == ["0123.npy"]


def test_a_folder_of_something_else(tmp_path: Path, facecond: Facecond) -> None:
    (tmp_path / "other").mkdir()
    status, _, err = facecond("verify", tmp_path / "other")
    assert status == 0
    assert f"{tmp_path / 'other'}: nothing there is of facecond's making" in err


def test_parts_and_files_by_name(whole: Path, tmp_path: Path, facecond: Facecond) -> None:
    run = whole / "runs" / "parser"
    assert facecond("verify", run / "weights.safetensors")[0] == 0
    assert facecond("verify", next((run / "checkpoints").iterdir()))[0] == 0
    status, _, err = facecond("verify", run / "run.json")
    assert status == 2
    assert "run.json is checked with its folder (name the run, pack or other folder it belongs to)" in err


def test_latents_that_are_not_used_do_not_stand_in_the_way(whole: Path, tmp_path: Path, facecond: Facecond) -> None:
    workspace = shutil.copytree(whole, tmp_path / "workspace")
    (latents,) = (workspace / "packs").glob("*/latents/[0-9a-f]*")
    other = shutil.copytree(latents, latents.with_name("0" * 12))
    (other / "latents.npy").write_bytes(b"cut")
    (other / "finished.json").write_text('{"finished": "2020-01-01T00:00:00+00:00"}')
    status, _, err = facecond("train", "model=attr", f"workspace={workspace}", "debug=quick", "--dry-run")
    assert status == 0, err
