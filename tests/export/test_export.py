"""`facecond export web`: what the folder holds, finished work, refusals; networks are traced in test_networks."""

import hashlib
import io
import json
import re
import sys
import tarfile
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from facecond.cli.main import main
from facecond.errors import ConfigError, DataError
from facecond.export import command, onnx_files, runtime, web
from facecond.export.networks import Piece
from facecond.io.exported import read_exported
from facecond.io.files import sha256_file

pytestmark = pytest.mark.bundled

FILES = {name: name.encode() for name in runtime.FILES}


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the networks that were written; their files hold their names."""
    written: list[str] = []

    def write(piece: Piece, path: Path) -> None:
        written.append(piece.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(piece.name)

    monkeypatch.setattr(web, "write_onnx", write)
    monkeypatch.setattr(runtime, "read_runtime", lambda named: FILES)
    monkeypatch.setattr(onnx_files, "NEEDED", ())
    return written


def export(workspace: Path, *words: str) -> Any:
    return command.run(command.prepare([f"workspace={workspace}", "run=drawn64-multicond", *words]))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_folder_holds_page_networks_and_runtime(tmp_path: Path, traced: list[str]) -> None:
    result = export(tmp_path, "sampler.steps=12", "guidance.mask=3", "people=2")
    place = tmp_path / "exports" / "drawn64-multicond-web"
    assert result.made["folder"] == place
    assert traced == [
        "picture-attributes", "picture-mask", "picture-step", "map-attributes", "map-mask", "map-step", "decoder",
    ]  # fmt: skip
    there = contents(place)
    for name in ("index.html", "studio.js", "map.js", "engine-browser.js", "worker.js", "model.js"):
        assert name in there
    assert {name: there[f"runtime/{name}"] for name in FILES} == FILES
    assert b"MIT License" in there["runtime/LICENSE"]
    codes = np.frombuffer(there["networks/codebook.bin"], "<f4")
    assert codes.size == 4096 * 3
    model = json.loads(there["model.json"])
    assert model["picture"]["sampler"] == {"name": "ddim", "steps": 12, "eta": 0.0}
    assert model["picture"]["guidance"] == {"attributes": 2.0, "mask": 3.0}
    assert model["maps"]["run"] == "drawn64-maps"
    named = [model["decoder"]["file"], model["decoder"]["codebook"]]
    for part in (model["picture"], model["maps"]):
        named += [part["step"], *(each["file"] for each in part["conditions"])]
    assert set(named) == {name for name in there if name.startswith("networks/")}
    studio = json.loads(there["studio.json"])
    assert (studio["engine"], studio["begin"]["steps"], len(studio["people"])) == ("browser", 12, 2)
    assert studio["can"]["parse"] is False


def test_the_page_says_first_what_it_may_load(tmp_path: Path, traced: list[str]) -> None:
    """Every file that it names is its own, none stands before the policy, and nothing in it needs more than that allows."""
    place = export(tmp_path, "people=0").made["folder"]
    page = (place / "index.html").read_text()
    (policy,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">', page)
    allowed = {words[0]: words[1:] for words in map(str.split, policy.split(";"))}
    assert allowed == {
        "default-src": ["'none'"], "script-src": ["'self'", "'wasm-unsafe-eval'"], "worker-src": ["'self'", "blob:"],
        "style-src": ["'self'"], "img-src": ["'self'", "data:", "blob:"], "connect-src": ["'self'"], "base-uri": ["'none'"],
        "form-action": ["'none'"],
    }  # fmt: skip
    assert not re.search(r"(?:src|href)=", page.partition(policy)[0])
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert len(named) == 3
    assert all((place / name).is_file() for name in named)
    assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?! type=\"module\" src=)", page)


def test_the_record_vouches_for_every_file(tmp_path: Path, traced: list[str]) -> None:
    place = export(tmp_path).made["folder"]
    record = read_exported(place)
    there = contents(place)
    del there["export.json"]
    assert record["files"] == {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)} for name, content in there.items()
    }
    assert record["made_with"]["weights"] == sha256_file(
        command.find_run(str(tmp_path), "drawn64-multicond", "diffusion").path / "weights.safetensors"
    )


def test_finished_work_is_recognised_and_damage_is_mended(tmp_path: Path, traced: list[str]) -> None:
    place = export(tmp_path).made["folder"]
    before, count = contents(place), len(traced)
    assert export(tmp_path).facts["finished before"] is True
    assert len(traced) == count
    (place / "networks" / "decoder.onnx").write_text("damaged")
    (place / "more.txt").write_text("not ours")
    assert export(tmp_path).facts["finished before"] is False
    assert contents(place) == before
    assert export(tmp_path, "sampler.steps=3").facts["finished before"] is False
    assert json.loads((place / "model.json").read_text())["picture"]["sampler"]["steps"] == 3
    assert [path.name for path in (tmp_path / "exports").iterdir() if not path.name.endswith(".lock")] == [place.name]


def test_an_interruption_leaves_what_was_there(
    tmp_path: Path, traced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = export(tmp_path).made["folder"]
    before = contents(place)

    def stop(piece: Piece, path: Path) -> None:
        raise KeyboardInterrupt

    write = web.write_onnx
    monkeypatch.setattr(web, "write_onnx", stop)
    with pytest.raises(KeyboardInterrupt):
        export(tmp_path, "sampler.steps=3")
    assert contents(place) == before
    monkeypatch.setattr(web, "write_onnx", write)
    export(tmp_path, "sampler.steps=3")
    assert not list((tmp_path / "exports").glob(".*.partial"))


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path, traced: list[str]) -> None:
    (tmp_path / "exports" / "mine").mkdir(parents=True)
    (tmp_path / "exports" / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match=r"mine is no export \(choose another name: name=\.\.\.\)"):
        export(tmp_path, "name=mine")
    assert contents(tmp_path / "exports" / "mine") == {"letter.txt": b"dear"}


def test_people_are_shown_of_drawn_faces_alone_unless_asked_for(
    tmp_path: Path, traced: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.prepare([f"workspace={tmp_path}"]).found.people == command.DRAWN_PEOPLE
    read = command.read_manifest
    monkeypatch.setattr(command, "read_manifest", lambda path: {**read(path), "source": {"kind": "celebamask_hq"}})
    assert command.prepare([f"workspace={tmp_path}"]).found.people == 0
    assert command.prepare([f"workspace={tmp_path}", "people=3"]).found.people == 3


def test_without_maps_what_is_open_stays_open(tmp_path: Path, traced: list[str]) -> None:
    place = export(tmp_path, "maps=none", "people=0").made["folder"]
    assert not [name for name in traced if name.startswith("map-")]
    assert json.loads((place / "model.json").read_text())["maps"] is None
    assert json.loads((place / "studio.json").read_text())["runs"][0]["draw"] is False


def archive(path: Path, files: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as members:
        for name, content in files.items():
            member = tarfile.TarInfo(f"package/dist/{name}")
            member.size = len(content)
            members.addfile(member, io.BytesIO(content))
    return path


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An archive that counts as onnxruntime-web's."""
    place = archive(tmp_path / runtime.NAME, FILES)
    monkeypatch.setattr(runtime, "FILES", {name: hashlib.sha256(text).hexdigest() for name, text in FILES.items()})
    monkeypatch.setattr(runtime, "ARCHIVE", sha256_file(place))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return place


def test_the_runtime_is_read_from_an_archive_and_from_folders(pinned: Path, tmp_path: Path) -> None:
    assert runtime.read_runtime(str(pinned)) == FILES
    (tmp_path / "module" / "dist").mkdir(parents=True)
    for name, content in FILES.items():
        (tmp_path / "module" / "dist" / name).write_bytes(content)
    assert runtime.read_runtime(str(tmp_path / "module")) == FILES
    assert runtime.read_runtime(str(tmp_path / "module" / "dist")) == FILES


def test_another_runtime_is_refused(pinned: Path, tmp_path: Path) -> None:
    other = archive(tmp_path / "other.tgz", {**FILES, "ort.wasm.min.mjs": b"evil"})
    with pytest.raises(DataError, match=r"other\.tgz is not onnxruntime-web 1\.30\.0 as npm has it"):
        runtime.read_runtime(str(other))
    (tmp_path / "dist").mkdir()
    for name, content in FILES.items():
        (tmp_path / "dist" / name).write_bytes(content + b" ")
    with pytest.raises(DataError, match=r"ort\.wasm\.min\.mjs is not that of onnxruntime-web 1\.30\.0"):
        runtime.read_runtime(str(tmp_path / "dist"))
    with pytest.raises(DataError, match="no such file"):
        runtime.read_runtime(str(tmp_path / "cache"))


def test_it_is_fetched_once_and_compared(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def answer(address: str, timeout: float) -> io.BytesIO:
        asked.append(address)
        return io.BytesIO(pinned.read_bytes())

    monkeypatch.setattr(urllib.request, "urlopen", answer)
    assert runtime.read_runtime(None) == runtime.read_runtime(None) == FILES
    assert asked == [runtime.ADDRESS]
    runtime.cache().unlink()
    monkeypatch.setattr(urllib.request, "urlopen", lambda address, timeout: io.BytesIO(b"something else"))
    with pytest.raises(DataError, match="expected"):
        runtime.read_runtime(None)
    assert not runtime.cache().exists()


def test_without_a_network_one_line_says_what_to_do(pinned: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(address: str, timeout: float) -> io.BytesIO:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", fail)
    with pytest.raises(ConfigError) as raised:
        runtime.read_runtime(None)
    assert str(raised.value) == (
        "onnxruntime-web 1.30.0 cannot be fetched: no route to host (where there is a network: npm pack onnxruntime-web@1.30.0; "
        "then here: runtime=onnxruntime-web-1.30.0.tgz)"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["runtime=nowhere.tgz"], "runtime=nowhere.tgz: no such file or folder"),
        (["sampler=euler"], "sampler"),
        (["run=nowhere"], "nowhere"),
        (["people=201"], "people"),
        (["maps=drawn64-vq"], "drawn64-vq"),
        (["guidance.sketch=2"], "is not conditioned on sketch"),
    ],
)
def test_refusals(
    words: list[str], said: str, tmp_path: Path, traced: list[str], capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["facecond", "export", "web", *words])
    with pytest.raises(SystemExit) as status:
        main()
    error = capsys.readouterr().err.strip()
    assert status.value.code == 2
    assert said in error
    assert "Traceback" not in error
    assert not (tmp_path / "outputs").exists()
