"""`facecond runs`: what is listed is what the files say, whatever is wrong with some; what it suggests runs; nothing is written."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from facecond.io import reproduced
from facecond.io.documents import Record, check, read_json, write_json
from facecond.io.results import read_results
from facecond.workspace.inventory.entries import Inventory, entries_of
from facecond.workspace.inventory.take import take
from tests.commands.conftest import Facecond


def listed(facecond: Facecond, *words: object) -> Inventory:
    status, out, err = facecond("runs", *words, "--json")
    assert status == 0, err
    return check(Inventory, json.loads(out)["inventory"], "standard output")


def bytes_in(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def stamps(folder: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def home(whole_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = Path(shutil.copytree(whole_once, tmp_path_factory.mktemp("runs") / "workspace"))
    done, begun = (home / "reproduced" / name for name in ("edits-1", "table1-demo"))
    reproduced.begin(done, "Edits", ["edits"])
    for name in ("table.md", "edits/one.npz"):
        (done / name).parent.mkdir(exist_ok=True)
        (done / name).write_bytes(b"# Edits\n")
    (home / "elsewhere.md").write_text("")
    reproduced.finish(done, "Edits", ["edits"], [done / "table.md", home / "elsewhere.md"])
    (home / "elsewhere.md").unlink()
    reproduced.begin(begun, "Table 1", ["table1", "scale=demo", f"workspace={home}"])
    return home


def test_everything_is_listed_as_its_files_say_and_nothing_is_written(home: Path, facecond: Facecond) -> None:
    before = stamps(home)
    held = listed(facecond, f"workspace={home}")
    (pack,) = held["packs"]
    assert (pack["name"], pack["source"], pack["items"], pack["resolution"]) == ("drawn-64", "drawn", 40, 64)
    assert pack["splits"] == {"train": 24, "validation": 16}
    assert [each["name"] for each in pack["latents"]] == ["vq"]
    assert pack["bytes"] == bytes_in(home / "packs" / "drawn-64")
    runs = {run["name"]: run for run in held["runs"]}
    assert [run["kind"] for run in held["runs"]] == ["diffusion", "diffusion", "classifier", "parser", "vq"]
    for name, run in runs.items():
        done = read_json(home / "runs" / name / "done.json", Record)
        assert (run["finished"], run["images"], run["images_seen"]) == (True, 16, done["images_seen"])
        assert (run["pack"], run["pack_here"], run["weights"]) == ("drawn-64", True, done["weights_sha256"])
        assert datetime.fromisoformat(run["when"]) == datetime.fromisoformat(done["finished"])
        assert run["bytes"] == bytes_in(home / "runs" / name)
    assert [*runs] == ["multicond", "attr", "classifier", "parser", "vq"]  # the latest first
    assert runs["attr"]["told"] == ["attributes"]
    last = [json.loads(line) for line in (home / "runs" / "parser" / "metrics.jsonl").read_text().splitlines()][-1]
    assert runs["parser"]["evaluation"]["miou"] == last["miou"]
    assert not any(key.startswith("iou_") for key in runs["parser"]["evaluation"])
    (results,) = held["results"]
    said = read_results(home / "results" / results["name"] / "results.json").figures
    assert [(each["name"], each["value"], each["spread"]) for each in results["figures"]] == [
        (figure.name, figure.value, figure.spread) for figure in said
    ]
    assert runs["multicond"]["figures"] == results["figures"]
    assert results["runs"] == ["multicond"]
    (samples,) = held["samples"]
    assert (samples["run"], samples["images"], samples["asked"]) == ("multicond", 4, 4)
    assert samples["made_with"]["sampler"]["steps"] == 1
    assert samples["told"] == ["attributes", "mask"]
    assert [parsed["pictures"] for parsed in held["parsed"]] == [1]
    (synthesized,) = held["synthesized"]
    assert (synthesized["run"], synthesized["asked"], synthesized["faces"], synthesized["made"]) == (
        "multicond",
        3,
        3,
        3,
    )
    assert (synthesized["resolution"], synthesized["forms"]) == (64, ["imagefolder", "coco", "croissant"])
    (exported,) = held["exports"]
    record = read_json(home / "exports" / "exported" / "export.json", Record)
    assert (exported["name"], exported["run"], exported["target"]) == ("exported", "multicond", "web")
    assert exported["weights"] == runs["multicond"]["weights"]
    assert (exported["maps"], exported["people"], exported["files"]) == (None, 2, len(record["files"]))
    assert exported["made_with"] == record["made_with"]
    assert exported["bytes"] == bytes_in(home / "exports" / "exported")
    assert datetime.fromisoformat(exported["when"]).timestamp() == pytest.approx(
        (home / "exports" / "exported" / "export.json").stat().st_mtime, abs=1e-3
    )
    (edited,) = held["edits"]
    head = read_json(home / "edits" / "edited" / "edit.json", Record)
    assert (edited["run"], edited["pictures"], edited["made_with"]) == ("multicond", 1, head["made_with"])
    assert (edited["method"], edited["strength"]) == (head["made_with"]["method"], head["made_with"]["strength"])
    assert edited["bytes"] == bytes_in(home / "edits" / "edited")
    assert {each["name"] for each in held["others"]} == {"features"}
    assert held["bytes"] == bytes_in(home)
    begun, done = sorted(held["reproduced"], key=lambda entry: entry["finished"])
    assert (done["name"], done["title"], done["words"], done["files"]) == ("edits-1", "Edits", ["edits"], ["table.md"])
    assert done["bytes"] == bytes_in(home / "reproduced" / "edits-1")
    assert (begun["remark"], begun["files"]) == ("not finished: its command continues it", [])
    assert begun["next"] == [f"facecond reproduce table1 scale=demo workspace={home}"]
    assert [entry["name"] for entry in entries_of(held) if entry["remark"]] == ["table1-demo"]
    assert stamps(home) == before


def suggested(home: Path, facecond: Facecond) -> list[str]:
    held = listed(facecond, f"workspace={home}")
    return [line for entry in entries_of(held) for line in entry["next"]]


def test_swaps_are_shown_and_not_measured(home: Path, tmp_path: Path, facecond: Facecond) -> None:
    """Several of them were told parts of several maps, which eval refuses."""
    here = Path(shutil.copytree(home, tmp_path / "workspace"))
    (here / "samples").rename(here / "swaps")
    held = listed(facecond, f"workspace={here}")
    assert held["samples"]
    commands = {line.split()[1] for entry in held["samples"] for line in entry["next"]}
    assert commands == {"report"}


def test_it_suggests_what_makes_sense(home: Path, facecond: Facecond) -> None:
    """The lines that are understood in no other test are tried."""
    lines = suggested(home, facecond)
    (served,) = [line for line in lines if not line.startswith("facecond ")]
    assert served == f"python -m http.server --directory {home / 'exports' / 'exported'}"
    starts = {" ".join(shlex.split(line)[1:3]) for line in lines}
    assert starts >= {
        "data inspect", "train model=multicond", "encode first_stage=vq", "sample run=multicond", "compare multicond",
        "report attr", "eval attributes", "data pack",
    }  # fmt: skip
    assert f"facecond compare multicond attr workspace={home}" in lines
    tried = [line for line in lines if "samples=" in line or "data pack" in line]
    assert len(tried) == 2
    for line in tried:
        status, _, err = facecond(*shlex.split(line)[1:], "--dry-run")
        assert status == 0, (line, err)


@pytest.mark.slow
def test_every_command_it_suggests_is_understood(home: Path, facecond: Facecond) -> None:
    for line in dict.fromkeys(suggested(home, facecond)):
        if not line.startswith("facecond "):
            continue
        status, _, err = facecond(*shlex.split(line)[1:], "--dry-run")
        assert status == 0, (line, err)


def test_words_and_kinds_choose(home: Path, facecond: Facecond) -> None:
    held = listed(facecond, f"workspace={home}", "ATT")
    assert [run["name"] for run in held["runs"]] == ["attr"]
    assert held["packs"] == held["samples"] == held["others"] == []
    assert held["bytes"] == bytes_in(home / "runs" / "attr")
    assert f"facecond compare attr multicond workspace={home}" in held["runs"][0]["next"]
    held = take(str(home), kinds=["runs"], model="parser")
    assert ([run["name"] for run in held["runs"]], held["packs"]) == (["parser"], [])
    held = listed(facecond, f"workspace={home}", "kind=samples", "multi", "items")
    assert len(held["samples"]) == 1
    assert held["runs"] == []
    assert facecond("runs", f"workspace={home}", "kind=parsers")[0] == 2


def test_people_see_aligned_rows_and_commands_below_them(home: Path, facecond: Facecond) -> None:
    status, out, _ = facecond("runs", f"workspace={home}", "kind=runs", "next=1", "most=3")
    assert status == 0
    lines = out.splitlines()
    head = next(line for line in lines if line.split()[:1] == ["name"])
    rows = [line for line in lines if line[:2] == "  " and line.split()[:1][0] in ("multicond", "attr", "classifier")]
    assert len(rows) == 3
    for heading in ("model", "told", "pack", "images learnt from", "size", "when"):
        at = head.index(heading)
        assert all(row[at] != " " and row[at - 2 : at] == "  " for row in rows), heading
    commands = [line.strip() for line in lines if line.strip().startswith("$ ")]
    assert commands[0] == f"$ facecond sample run=multicond workspace={home}"
    assert all("multicond" in command for command in commands)
    assert "and 2 more" in out
    assert "\x1b" not in out
    assert any(line.split()[:3] == ["these", "5", "entries,"] for line in lines)


def test_an_unfinished_run_is_continued_by_its_command(home: Path, facecond: Facecond, tmp_path: Path) -> None:
    run = shutil.copytree(home / "runs" / "attr", tmp_path / "w" / "runs" / "begun")
    shutil.copytree(home / "packs", tmp_path / "w" / "packs")
    shutil.copytree(home / "runs" / "vq", tmp_path / "w" / "runs" / "vq")
    for name in ("done.json", "weights.safetensors"):
        (run / name).unlink()
    lines = (run / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "metrics.jsonl").write_text("".join(lines[:1]) + lines[1][:10])  # torn
    held = listed(facecond, f"workspace={tmp_path / 'w'}", "begun")
    (entry,) = held["runs"]
    assert (entry["finished"], entry["images_seen"], entry["images"]) == (False, 8, 16)
    again, report = entry["next"]
    assert shlex.split(report)[1:3] == ["report", "begun"]
    status, _, err = facecond(*shlex.split(again)[1:])
    assert status == 0, err
    assert (run / "done.json").is_file()
    (entry,) = listed(facecond, f"workspace={tmp_path / 'w'}", "begun")["runs"]
    assert (entry["finished"], entry["images_seen"]) == (True, 16)
    owner = {
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "since": "2026-01-01T00:00:00",
        "command": "facecond train",
    }
    (run / "done.json").unlink()
    for pid, remark in ((os.getpid(), "in use by process"), (2**22 + 1, "")):
        write_json(run.with_name(".begun.owner"), owner | {"pid": pid})
        (entry,) = listed(facecond, f"workspace={tmp_path / 'w'}", "begun")["runs"]
        assert entry["remark"][:17] == remark
        assert len(entry["next"]) == (1 if remark else 2)


def _cut(file: str) -> Callable[[Path], None]:
    return lambda home: next(home.glob(file)).write_text('{"format": "facec')


def _with(file: str, **other: Any) -> Callable[[Path], None]:
    def change(home: Path) -> None:
        place = next(home.glob(file))
        kept = {key: value for key, value in read_json(place, Record).items() if key != "checksum"}
        write_json(place, kept | other)

    return change


DAMAGED: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "a run cut short": ("runs", _cut("runs/multicond/run.json"), "run.json: not valid JSON"),
    "a run of tomorrow": ("runs", _with("runs/attr/run.json", version=9), "version is 9"),
    "a run of other settings": ("runs", _with("runs/vq/run.json", config={"trainer": [1]}), "config: trainer is [1]"),
    "a run altered": ("runs", _with("runs/vq/done.json", images_seen=-3), "images_seen is -3"),
    "curves that are none": (
        "runs",
        lambda home: (home / "runs/vq/metrics.jsonl").write_text("x\n") and None,
        "metrics",
    ),
    "weights gone": (
        "runs",
        lambda home: (home / "runs/vq/weights.safetensors").unlink(),
        "weights.safetensors is missing",
    ),
    "a pack altered": ("packs", _with("packs/*/manifest.json", notes=["?"]), "was altered"),
    "latents cut short": ("packs", _cut("packs/*/latents/*/manifest.json"), "not valid JSON"),
    "samples cut short": ("samples", _cut("samples/*/generation.json"), "generation.json: not valid JSON"),
    "samples of a list": ("samples", _with("samples/*/generation.json", made_with={"weights": [1]}), "weights is [1]"),
    "pictures deleted": ("samples", lambda home: next(home.glob("samples/*/images/*.png")).unlink(), "lacks 1 of 4"),
    "results of tomorrow": ("results", _with("results/*/results.json", version=99), "version is 99"),
    "edits cut short": ("edits", _cut("edits/*/edit.json"), "edit.json: not valid JSON"),
    "edits of other settings": ("edits", _with("edits/*/edit.json", made_with={"weights": [1]}), "weights is [1]"),
    "an export cut short": ("exports", _cut("exports/*/export.json"), "export.json: not valid JSON"),
    "an export of tomorrow": ("exports", _with("exports/*/export.json", version=2), "version is 2"),
    "an export of other files": (
        "exports",
        _with("exports/*/export.json", files={"../run.json": {"sha256": "0" * 64, "bytes": 1}}),
        "'../run.json' is no file of",
    ),
    "files of an export gone": (
        "exports",
        lambda home: (home / "exports/exported/networks/decoder.onnx").unlink(),
        "1 of ",
    ),
    "a file of an export cut short": (
        "exports",
        lambda home: (home / "exports/exported/studio.js").write_text("") and None,
        "missing or of another size: facecond verify names them",
    ),
    "a reproduction cut short": ("reproduced", _cut("reproduced/edits-1/reproduced.json"), "not valid JSON"),
    "a reproduction of other files": (
        "reproduced",
        _with("reproduced/edits-1/reproduced.json", files={"../run.json": "0" * 64}),
        "'../run.json' is no file of",
    ),
    "a table gone": (
        "reproduced",
        lambda home: (home / "reproduced/edits-1/table.md").unlink(),
        "table.md missing: its command writes it again",
    ),
    "photographs cut short": ("parsed", _cut("parsed/*/parsed.json"), "parsed.json: not valid JSON"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_what_is_damaged_is_one_remark(what: str, home: Path, tmp_path: Path) -> None:
    part, damage, remark = DAMAGED[what]
    copy = Path(shutil.copytree(home, tmp_path / "copy"))
    damage(copy)
    held = check(Inventory, json.loads(json.dumps(take(str(copy)))), "the inventory")
    (entry,) = [  # one is not finished before anything is damaged
        entry
        for entry in held[part]
        if entry["remark"] and entry["name"] != "table1-demo"  # type: ignore[literal-required]
    ]
    assert remark in entry["remark"]
    assert "\n" not in entry["remark"]


def test_damage_is_shown_and_ends_nothing(home: Path, facecond: Facecond, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(home, tmp_path / "copy"))
    chosen = ("a run cut short", "a run of tomorrow", "a run altered", "a pack altered", "samples cut short",
              "results of tomorrow", "photographs cut short")  # fmt: skip
    for what in chosen:
        DAMAGED[what][1](copy)
    status, out, _ = facecond("runs", f"workspace={copy}")
    assert status == 0
    for what in chosen:
        assert DAMAGED[what][2] in " ".join(out.split())
    assert "with a remark" in out


def test_foreign_folders_are_listed(tmp_path: Path, facecond: Facecond) -> None:
    for part in ("packs", "runs", "samples", "swaps", "results", "parsed", "edits", "exports", "reproduced", "holiday"):
        (tmp_path / part / "[strange] one").mkdir(parents=True)
        (tmp_path / part / "[strange] one" / "notes.txt").write_text("12345")
        (tmp_path / part / "stray.txt").write_text("1")
        (tmp_path / part / ".hidden").mkdir()
    (tmp_path / "packs" / "begun").mkdir()
    (tmp_path / "packs" / "begun" / "writing.jsonl").write_text("{}\n")
    (tmp_path / "runs" / "loop").symlink_to(tmp_path / "runs")
    held = listed(facecond, f"workspace={tmp_path}")
    remarks = {
        entry["remark"].partition(":")[0]
        for part in ("packs", "runs", "results", "parsed", "edits", "exports", "reproduced")
        for entry in held[part]  # type: ignore[literal-required]
    }
    assert remarks == {
        "not finished", "not a pack", "not a run", "no results", "no parsed photographs", "no edited pictures", "no export",
        "made by an older version, or not at all",
    }  # fmt: skip
    assert [entry["remark"].partition(":")[0] for entry in held["samples"]] == ["no samples"] * 2
    assert [(each["name"], each["bytes"]) for each in held["others"]] == [("holiday", 6)]
    status, out, _ = facecond("runs", f"workspace={tmp_path}")
    assert status == 0
    assert out.count("[strange] one") == 9


def test_an_empty_workspace_says_what_to_do(
    tmp_path: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = facecond("runs")
    assert status == 0
    assert "outputs holds nothing yet" in err
    assert "$ facecond sample --attr +Smiling" in " ".join(out.split())
    assert not list(tmp_path.iterdir())
    status, out, err = facecond("runs", "workspace=output")
    assert (status, out, len(err.strip().splitlines())) == (2, "", 1)
    assert "output: no such workspace" in err
    (tmp_path / "outputs").write_text("")
    assert facecond("runs")[0] == 2


@pytest.mark.bundled
def test_what_came_with_the_program_is_listed_as_such(home: Path, facecond: Facecond) -> None:
    held = listed(facecond, f"workspace={home}")
    along = [entry for entry in [*held["packs"], *held["runs"]] if entry["came_along"]]
    assert {entry["name"].partition("-")[2] for entry in along} == {
        "people", "vq", "parser", "classifier", "multicond", "maps",
    }  # fmt: skip
    assert all(entry["came_along"] for entry in held["runs"][5:])  # behind one's own
    assert held["bytes"] == bytes_in(home)
    figures = {each["name"]: each["value"] for run in along for each in run.get("figures", [])}
    assert round(figures["miou"], 3) == 0.867
    _, out, _ = facecond("runs", f"workspace={home}")
    assert out.count("with the program") == 6


def test_it_loads_no_torch(home: Path) -> None:
    code = (
        "import sys; from facecond.cli.main import app\n"
        "app(sys.argv[1:], standalone_mode=False)\n"
        "assert not {'torch', 'matplotlib', 'scipy', 'jinja2'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "runs", f"workspace={home}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_hundreds_of_runs_take_seconds(home: Path, facecond: Facecond, tmp_path: Path) -> None:
    """Of processor time; their weights are not read: there are none but by name."""
    for number in range(300):
        run = tmp_path / "runs" / f"run-{number:03d}"
        run.mkdir(parents=True)
        for name in ("run.json", "done.json", "metrics.jsonl"):
            (run / name).hardlink_to(home / "runs" / "multicond" / name)
        (run / "weights.safetensors").touch()
    before = time.process_time()
    held = take(str(tmp_path))
    assert time.process_time() - before < 3
    assert len(held["runs"]) == 300
    status, out, _ = facecond("runs", f"workspace={tmp_path}", "kind=runs")
    assert status == 0
    assert "and 280 more" in out
    assert out.count("$ facecond") < 20
