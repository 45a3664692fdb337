"""The command line as a person meets it: help, flags, one-line errors, completion."""

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from facecond.cli.execute import _flag_overrides
from facecond.cli.help import EXAMPLES
from facecond.cli.main import app, main
from facecond.config.commands.table import COMMANDS, command_named
from facecond.errors import ConfigError

COMMAND_WORDS = [[], ["data"], ["config"], ["config", "list"], ["config", "show"], *[name.split() for name in COMMANDS]]


def run(words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Run the program inside this process; return its exit status, standard output and standard error."""
    monkeypatch.setattr(sys, "argv", ["facecond", *words])
    with pytest.raises(SystemExit) as left:
        main()
    captured = capsys.readouterr()
    return int(left.value.code or 0), captured.out, captured.err


@pytest.mark.parametrize("words", COMMAND_WORDS, ids=" ".join)
def test_every_help_ends_with_examples(words: list[str]) -> None:
    result = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    ending = result.output.rpartition("Examples")[2]
    key = " ".join(words) or None
    for example in EXAMPLES[key]:
        assert example in ending


@pytest.mark.parametrize("words", [name.split() for name in COMMANDS], ids=" ".join)
def test_help_lists_the_groups(words: list[str]) -> None:
    from facecond.config.catalogue import groups_of, options_of

    output = CliRunner().invoke(app, [*words, "--help"], env={"COLUMNS": "160"}).output
    for group in groups_of(" ".join(words)):
        assert f"{group}=" in output
        assert all(option in output for option in options_of(group))


def test_help_is_fast() -> None:
    """About half a second of processor time, which a busy machine does not stretch as it does time on the clock."""
    times = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "facecond", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < 1.0


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["trian"], "Did you mean 'train'"),
        (["sample", "--etta", "1"], "--eta"),
        (["sample", "--eta", "much"], "--eta takes a number"),
        (["sample", "--count", "few"], "facecond: --count / -n takes a whole number"),
        (["sample", "--eta", "1", "sampler.eta=0.5"], "given twice"),
        (["sample", "sampler=ddin", "--dry-run"], "did you mean 'ddim'"),
        (["config", "show", "trian"], "did you mean 'train'"),
        (["config", "show", "data"], "'data' is not a command"),
        (["eval", "mio", "--dry-run"], "did you mean 'miou'"),
        (["eval", "fidd", "--dry-run"], "'fidd' is not a measure"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_mistakes_are_one_line_and_status_2(
    words: list[str], expected: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    status, out, err = run(words, monkeypatch, capsys)
    assert status == 2
    assert out == ""
    assert expected in err
    assert len(err.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_an_environment_that_torchrun_never_made(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "two")
    status, _, err = run(["runs", f"workspace={tmp_path}"], monkeypatch, capsys)
    assert status == 2
    assert "WORLD_SIZE='two' in the environment: expected a number" in err


def test_flags_are_shorthand_for_overrides() -> None:
    assert _flag_overrides([], {"sampler.eta": 1.0, "seed": None, "attr": "+Smiling,-Male"}) == [
        "sampler.eta=1.0",
        "attr='+Smiling,-Male'",
    ]
    with pytest.raises(ConfigError, match="given twice"):
        _flag_overrides(["sampler.eta=0"], {"sampler.eta": 1.0})


def test_config_show_prints_yaml_that_can_be_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import yaml

    status, out, _ = run(["config", "show", "train", "model=attr", "size=tiny"], monkeypatch, capsys)
    assert status == 0
    assert yaml.safe_load(out)["model"]["conditions"] == ["attributes"]
    status, out, _ = run(["config", "show", "swap-masks", "--json"], monkeypatch, capsys)
    assert json.loads(out)["config"]["parts"] == ["hair"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_known_by_its_words_and_as_one(command: str) -> None:
    for words in (command.split(), [command], [command.replace(" ", "-")], [command.replace("-", "_")]):
        assert command_named([*words, "a=b"]) == (command, ["a=b"])
    assert command_named([]) is None


def test_config_show_takes_what_help_says(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(["export", "web", "--help"], monkeypatch, capsys)
    (word,) = re.findall(r"All keys: facecond config show (\S+)", out)
    status, out, err = run(["config", "show", word, "people=3", "--json"], monkeypatch, capsys)
    assert status == 0, err
    assert json.loads(out)["config"]["people"] == 3


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("facecond config show export-web sampler=", "sampler=dpmpp"),
        ("facecond train mo", "model="),
        ("facecond train model=", "model=multicond"),
        ("facecond train model=mu", "model=multicond"),
        ("facecond train trainer.learning", "trainer.learning_rate="),
        ("facecond train denoiser=", "denoiser=transformer"),
        ("facecond train model.denoiser.wi", "model.denoiser.width="),
        ("facecond train model.denoiser.position=", "model.denoiser.position=shared"),
        ("facecond sample sampler=", "sampler=dpmpp"),
        ("facecond sample precision=", "precision=float32"),
        ("facecond data pack data=", "data=label_maps"),
        ("facecond eval mi", "miou"),
        ("facecond parse align=", "align=never"),
        ("facecond parse docs/pic", "docs/pictures/"),
        ("facecond config show tr", "train"),
    ],
)
def test_zsh_completes_groups_options_and_keys(typed: str, expected: str) -> None:
    environment = {**os.environ, "_FACECOND_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": typed}
    answer = subprocess.run([sys.executable, "-c", "from facecond.cli.main import app; app(prog_name='facecond')"],
                            env=environment, capture_output=True, text=True, check=False,
                            cwd=Path(__file__).parents[2])  # fmt: skip
    assert expected in answer.stdout


def test_names_of_runs_are_completed(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").write_text("{}")
    for typed, expected in (
        (f"report workspace={tmp_path} fi", ["first"]),
        (f"report workspace={tmp_path} na", ["name="]),
    ):
        environment = {
            **os.environ, "_FACECOND_COMPLETE": "complete_bash", "COMP_WORDS": f"facecond {typed}",
            "COMP_CWORD": str(len(typed.split())),
        }  # fmt: skip
        answer = subprocess.run([sys.executable, "-c", "from facecond.cli.main import app; app(prog_name='facecond')"],
                                env=environment, capture_output=True, text=True, check=False)  # fmt: skip
        assert answer.stdout.split() == expected


def test_bash_completes_the_part_behind_the_equals_sign() -> None:
    environment = {
        **os.environ,
        "_FACECOND_COMPLETE": "complete_bash",
        "COMP_WORDS": "facecond train model = mu",
        "COMP_CWORD": "4",
    }
    answer = subprocess.run([sys.executable, "-c", "from facecond.cli.main import app; app(prog_name='facecond')"],
                            env=environment, capture_output=True, text=True, check=False)  # fmt: skip
    assert answer.stdout.split() == ["multicond"]
