"""`launcher=`: a command becomes a job that does what the command does and continues where it was stopped."""

import dataclasses
import importlib
import json
import os
import pickle
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from facecond.cli.execute import MODULES, TOGETHER
from facecond.commands.continuing import write_run
from facecond.commands.submit import submission
from facecond.config.commands.table import COMMANDS
from facecond.config.compose import compose
from facecond.data.pack import Pack
from facecond.job import Job
from facecond.workspace.find import read_run
from tests.commands.conftest import MODEL, TINY, Facecond, call

CLUSTER = {
    "sbatch": 'echo "Submitted batch job 4711"\ncp "$1" "$(dirname "$0")/job.sh"\n"$(dirname "$0")/node" &\n',
    "node": 'cd "$(dirname "$0")"\ntouch requeued\nwhile [ -e requeued ]; do rm requeued; SLURM_JOB_ID=4711 sh job.sh; done\n',
    "srun": 'while [ "$1" != --output ]; do shift; done\nlog=$(echo "$2" | sed "s/%j/4711/;s/%t/0/")\n'
    'while [ "${1#-}" != "$1" ] || [ ! -x "$1" ]; do shift; done\nexec "$@" >>"$log" 2>&1\n',
    "scontrol": 'touch "$(dirname "$0")/requeued"\n',
}
"""Programs that stand in for Slurm's, on one machine: what is submitted starts at once, and again when it was queued again."""


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of such programs, found first; `node` instead of `true` there lets jobs run."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, text in CLUSTER.items():
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}" if name != "node" else "#!/bin/sh\n")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


@pytest.fixture
def running(cluster: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The same with a machine that runs jobs; no job is left behind."""
    (cluster / "node").write_text(f"#!/bin/sh\nexec >>'{cluster}/node.log' 2>&1 </dev/null\n{CLUSTER['node']}")
    monkeypatch.setenv("TQDM_DISABLE", "1")
    yield cluster
    (cluster / "requeued").unlink(missing_ok=True)
    for process in processes_of(tmp_path_factory.getbasetemp()):
        children = children_of(process)
        os.kill(process, signal.SIGKILL)
        for child in children:
            os.kill(child, signal.SIGTERM)


def processes_of(place: Path) -> list[int]:
    """The processes in which submitit runs the jobs whose folders are below `place`."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().decode().split("\0")
        except OSError:
            continue
        if "submitit.core._submit" in words and any(word.startswith(str(place)) for word in words):
            found.append(int(entry.name))
    return found


def children_of(process: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


def until(what: Callable[[], Any], log: Path, seconds: float = 600) -> Any:
    """Wait for `what` to hold; fail with what the log says when it does not."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, log.read_text() if log.is_file() else f"no log {log}"
        time.sleep(0.05)
    return found


def outcome(log: Path, number: str) -> tuple[str, Any]:
    """What submitit kept of a job that ended: "success" or "error", and its value or its traceback."""
    file = log.parent / f"{number}_0_result.pkl"
    until(file.is_file, log)
    kind, value = pickle.loads(file.read_bytes())
    return kind, value


def submitted(facecond: Facecond, *words: object) -> dict[str, Any]:
    status, out, err = facecond(*words, "--json")
    assert status == 0, err
    found: dict[str, Any] = json.loads(out)
    return found


def foreseen(facecond: Facecond, *words: object) -> Any:
    return submitted(facecond, *words, "--dry-run")


def sbatch_options(script: str) -> dict[str, str | None]:
    lines = [line.removeprefix("#SBATCH --") for line in script.splitlines() if line.startswith("#SBATCH")]
    parts = [line.partition("=") for line in lines]
    return {name: shlex.split(value)[0] if equals else None for name, equals, value in parts}


def without_latents(workspace: Path, place: Path) -> Path:
    """A workspace with a pack and its first stage, nothing encoded."""
    pack = shutil.copytree(workspace / "packs" / "drawn-64", place / "packs" / "drawn-64")
    shutil.rmtree(pack / "latents")
    shutil.copytree(workspace / "runs" / "vq", place / "runs" / "vq")
    return pack


def arrays(pack: Path) -> dict[str, bytes]:
    """Latents of a pack."""
    folder = next((pack / "latents").glob("*"))
    return {path.name: path.read_bytes() for path in folder.glob("*.npy")}


def test_a_job_in_the_background_does_what_the_command_does(
    workspace: Path, tmp_path: Path, running: Path, facecond: Facecond
) -> None:
    pack = without_latents(workspace, tmp_path)
    made = submitted(facecond, "encode", f"workspace={tmp_path}", "launcher=local", "launcher.gpus=0")
    number, log = made["facts"]["job"], Path(made["made"]["log"])
    assert log.is_relative_to(tmp_path / "jobs")
    assert made["next"] == [f"tail -F {log}", f"kill {number}"]
    assert outcome(log, number) == ("success", None), log.read_text()
    assert arrays(pack) == arrays(workspace / "packs" / "drawn-64")
    assert "latent shape" in log.read_text()


WRONG = {
    "a key of the command": (["bach_size=3"], "did you mean 'batch_size'"),
    "a value of the command": (["batch_size=many"], "is not a whole number"),
    "a run that is not there": (["first_stage=qv"], "did you mean 'vq'"),
    "a key of the launcher": (["launcher.gpu=1"], "did you mean 'launcher.gpus'"),
    "a value of the launcher": (["launcher.hours=0"], "expected more than 0"),
    "another launcher": (["launcher=slrm"], "did you mean 'slurm'"),
    "a key of another launcher": (["launcher.partition=gpu"], "'launcher.partition' is not a key of encode"),
    "more processes than GPUs": (["launcher.gpus=1", "launcher.processes=2"], "a GPU of its own"),
    "a GPU and a CPU": (["launcher.gpus=1", "device=cpu"], "contradict one another"),
    "no GPU and a GPU": (["launcher.gpus=0", "device=cuda"], "contradict one another"),
    "told to stop before it starts": (["launcher.hours=0.1", "launcher.notice=600"], "launcher.notice=600"),
    "only settings of one": (["launcher=null", "launcher.gpus=0"], "no launcher is chosen"),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_mistake_is_one_line_and_no_job(what: str, workspace: Path, facecond: Facecond) -> None:
    words, expected = WRONG[what]
    status, out, err = facecond("encode", f"workspace={workspace}", "launcher=local", *words)
    assert (status, out) == (2, "")
    assert expected in err
    assert len(err.strip().splitlines()) == 1
    assert not (workspace / "jobs").exists()


def test_what_the_processes_would_refuse_is_refused_before(workspace: Path, facecond: Facecond) -> None:
    """Not when the job's turn has come."""
    words = ["train", f"workspace={workspace}", "model=attr", "launcher=slurm", *MODEL, *TINY]
    for more, expected in (
        (["launcher.gpus=3"], "trainer.batch_size=8 cannot be divided among 3 processes"),
        (["launcher.machines=3", "launcher.gpus=1"], "cannot be divided among 3 processes"),
        (["launcher.gpus=0", "launcher.processes=2", "minutes=5"], "planned by one process"),
    ):
        given = [word for word in words if "minutes=5" not in more or not word.startswith("trainer.images")]
        status, _, err = facecond(*given, *more)
        assert status == 2
        assert expected in err
    assert not (workspace / "jobs").exists()


def test_where_submitit_is_not_installed_one_line_says_what_to_install(
    workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "submitit", None)
    for more in ([], ["--dry-run"]):
        status, _, err = facecond("encode", f"workspace={workspace}", "launcher=slurm", *more)
        assert status == 2
        assert "launcher=slurm needs submitit, which is not installed (pip install 'facecond[slurm]')" in " ".join(
            err.split()
        )
        assert len(err.strip().splitlines()) == 1
    assert facecond("encode", f"workspace={workspace}", "--dry-run")[0] == 0


def test_without_slurm_one_line_says_so(workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    status, _, err = facecond("encode", f"workspace={workspace}", "launcher=slurm")
    assert status == 2
    assert "there is no sbatch on this machine" in err
    assert not (workspace / "jobs").exists()


def test_the_script_asks_for_what_was_asked_for(workspace: Path, facecond: Facecond) -> None:
    asked = ["launcher=slurm", "launcher.gpus=4", "launcher.machines=2", "launcher.hours=12.5", "launcher.cores=6"]
    asked += ["launcher.memory=96", "launcher.partition=big gpu", "launcher.account=faces", "launcher.notice=300"]
    asked += [
        'launcher.sbatch=["constraint=a100","exclusive","--mail-type=END"]',
        'launcher.setup=["module load cuda"]',
    ]
    job = foreseen(facecond, "train", f"workspace={workspace}", "model=attr", "name=big", *MODEL, *TINY, *asked)["job"]
    options = sbatch_options(job["script"])
    expected = {
        "gpus-per-node": "4", "nodes": "2", "ntasks-per-node": "1", "time": "750", "cpus-per-task": "24", "mem": "98304MB",
        "partition": "big gpu", "account": "faces", "signal": "USR2@300", "requeue": None, "open-mode": "append",
        "constraint": "a100", "exclusive": None, "mail-type": "END", "job-name": "facecond-train-big",
    }  # fmt: skip
    assert {name: options.get(name, "not there") for name in expected} == expected
    assert "array" not in options
    assert "wckey" not in options
    lines = job["script"].splitlines()
    assert lines.index("module load cuda") < next(i for i, line in enumerate(lines) if line.startswith("srun"))
    assert job["processes"] == 8
    assert Path(job["log"]) == workspace / "jobs" / "train-big" / "JOB_0_log.out"
    assert not (workspace / "jobs").exists()


def test_as_little_is_asked_for_as_was(workspace: Path, facecond: Facecond) -> None:
    given = ["encode", f"workspace={workspace}", "launcher=slurm"]
    options = sbatch_options(foreseen(facecond, *given)["job"]["script"])
    assert (options["gpus-per-node"], options["nodes"], options["time"]) == ("1", "1", "1440")
    assert not {"mem", "partition", "account", "qos"} & options.keys()
    assert "gpus-per-node" not in sbatch_options(foreseen(facecond, *given, "device=cpu")["job"]["script"])


def test_the_configuration_stays_yaml_beside_the_script(workspace: Path, facecond: Facecond) -> None:
    import yaml

    status, out, _ = facecond("encode", f"workspace={workspace}", "launcher=slurm", "--dry-run")
    assert status == 0
    assert yaml.safe_load(out)["launcher"]["kind"] == "slurm"
    assert "# #SBATCH --gpus-per-node=1" in out


def test_one_process_is_the_command_and_several_are_torchruns() -> None:
    words = ["train", "model=attr", "name=it's"]
    own = ["-m", "facecond", *words]
    assert Job(words=words).arguments("7", "one") == [sys.executable, *own]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=4"]
    assert Job(words=words, processes=4, restarts=2).arguments("7", "one") == [
        *torchrun, "--standalone", "--max-restarts=2", *own,
    ]  # fmt: skip
    meet = ["--nnodes=2", "--rdzv-backend=c10d", "--rdzv-id=50007", "--rdzv-endpoint=one:30007"]
    assert Job(words=words, processes=4, machines=2).arguments("50007", "one") == [
        *torchrun, *meet, "--max-restarts=0", *own,
    ]  # fmt: skip


def test_a_job_names_what_was_found_for_it_and_no_launcher(workspace: Path) -> None:
    """What is the latest when its turn comes does not count."""
    here, vq = f"workspace={workspace}", workspace / "runs" / "vq"
    pack, multicond = workspace / "packs" / "drawn-64", workspace / "runs" / "multicond"
    job = ["launcher=slurm", "launcher.hours=3"]
    cases: dict[str, tuple[list[str], list[str]]] = {
        "encode": ([], [f"pack='{pack}'", f"first_stage='{vq}'"]),
        "sample": (["count=2", "run=multicond"], [f"pack='{pack}'", "maps='none'"]),
        "swap-masks": (["pack=drawn-64"], [f"run='{multicond}'"]),
        "eval": (["measures=[miou]"], [f"run='{multicond}'", f"pack='{pack}'"]),
        "train": (
            ["model=attr", *MODEL, *TINY[1:]],
            ["name='attr-tiny-drawn-64'", f"pack='{pack}'", f"first_stage='{vq}'", "size=tiny"],
        ),
    }
    for command, (words, found) in cases.items():
        typed = [here, *words, *job]
        made = submission(command, typed, importlib.import_module(MODULES[command]).prepare(typed))
        assert made is not None
        assert made.job.words == [command, here, *words, *found]
        again = importlib.import_module(MODULES[command]).prepare(made.job.words[1:])
        assert again.name == made.prepared.name
        assert again.config.launcher is None


def test_a_launcher_is_no_part_of_what_is_made(workspace: Path) -> None:
    """Neither of a run, which it may continue, nor of the key of a generation."""
    job = ["launcher=slurm", "launcher.hours=3", "launcher.gpus=0"]
    for command, words in (("sample", ["run=multicond", "count=2"]), ("swap-masks", ["run=multicond"])):
        module = importlib.import_module(MODULES[command])
        names = {module.prepare([f"workspace={workspace}", *words, *more]).name for more in ([], job)}
        assert len(names) == 1
    words = ["model=attr", "name=attr", f"workspace={workspace}", *MODEL, *TINY]
    file = workspace / "runs" / "attr" / "run.json"
    before = file.read_bytes()
    call("train", *words, *job)  # the finished run: refused if it were another
    assert file.read_bytes() == before
    prepared = importlib.import_module(MODULES["train"]).prepare([*words, *job])
    started = workspace / "runs" / "started-by-a-job"
    write_run(
        started, prepared.composed, "diffusion", Pack.open(workspace / "packs" / "drawn-64"), prepared.found.latents, {}
    )
    recorded, usual = json.loads((started / "run.json").read_text()), json.loads(before)
    shutil.rmtree(started)
    usual["config"]["workspace"] = str(workspace)
    assert {key: recorded[key] for key in ("config", "choices")} == {key: usual[key] for key in ("config", "choices")}


def test_what_is_left_of_a_run_can_be_read_by_all(workspace: Path) -> None:
    assert "launcher" not in json.loads((workspace / "runs" / "attr" / "run.json").read_text())["config"]
    assert read_run(workspace / "runs" / "attr").config["launcher"] is None


def test_the_commands_that_share_their_work_have_launchers() -> None:
    having = {
        command
        for command, schema in COMMANDS.items()
        if "launcher" in {each.name for each in dataclasses.fields(schema)}
    }
    assert having == set(TOGETHER)
    assert {command for command in COMMANDS if "launcher" in compose_groups(command)} == having


def compose_groups(command: str) -> dict[str, str]:
    from facecond.config.catalogue import groups_of

    return groups_of(command)


def test_a_launcher_can_be_taken_back() -> None:
    assert compose("encode", ["launcher=slurm", "launcher=null"]).config.launcher is None
    assert compose("encode", ["launcher=null"]).choices == {}


def test_help_and_the_schema_load_neither_torch_nor_submitit() -> None:
    program = (
        "import sys; from typer.testing import CliRunner; from facecond.cli.main import app\n"
        "said = CliRunner().invoke(app, ['train', '--help'], env={'COLUMNS': '160'}).output\n"
        "assert 'launcher= local slurm' in said, said\n"
        "from facecond.config.compose import compose; compose('train', ['launcher=slurm'])\n"
        "heavy = {'torch', 'submitit', 'cloudpickle'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_settings_of_launchers_are_completed() -> None:
    program = (
        "from types import SimpleNamespace as ctx; from facecond.cli.complete import overrides\n"
        "train = ctx(command_path='facecond train', params={})\n"
        "assert overrides(train, 'launcher=') == ['launcher=local', 'launcher=slurm']\n"
        "assert overrides(train, 'launcher.pa') == ['launcher.partition=']\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=Path(__file__).parents[2])


def test_every_combination_becomes_a_job(workspace: Path, cluster: Path, facecond: Facecond) -> None:
    words = [
        "train",
        "-m",
        "model=attr,multicond",
        f"workspace={workspace}",
        *MODEL,
        *TINY,
        "launcher=slurm",
        "launcher.gpus=0",
    ]
    shown = foreseen(facecond, *words)
    assert [next(word for word in each["job"]["runs"] if word.startswith("model=")) for each in shown] == [
        "model=attr", "model=multicond",
    ]  # fmt: skip
    made = submitted(facecond, *words)
    assert [each["facts"]["job"] for each in made] == ["4711", "4711"]
    for each, before in zip(made, shown, strict=True):
        log = Path(each["made"]["log"])
        assert log == Path(before["job"]["log"].replace("JOB", "4711"))
        assert (log.parent / "4711_submission.sh").read_text() == before["job"]["script"]
        assert each["next"] == ["squeue --job 4711", f"tail -F {log}", "scancel 4711"]
    shutil.rmtree(workspace / "jobs")


def test_what_sbatch_refuses_is_one_line(workspace: Path, cluster: Path, facecond: Facecond) -> None:
    (cluster / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpu' >&2\nexit 1\n")
    status, _, err = facecond("encode", f"workspace={workspace}", "launcher=slurm", "launcher.partition=gpu")
    assert status == 2
    assert "sbatch: error: invalid partition specified: gpu" in err
    assert len([line for line in err.strip().splitlines() if "facecond:" in line]) == 1
    shutil.rmtree(workspace / "jobs")


def test_torchrun_starts_no_jobs(workspace: Path, facecond: Facecond, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    status, _, err = facecond("encode", f"workspace={workspace}", "launcher=local")
    assert status == 2
    assert "leave torchrun out" in err


@pytest.fixture
def in_a_job(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As submitit's local executor calls a job."""
    for name, value in {"SUBMITIT_EXECUTOR": "local", "SUBMITIT_LOCAL_JOB_ID": "7"}.items():
        monkeypatch.setenv(name, value)
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_a_killed_process_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_a_job: None) -> None:
    """As often as was said; one that fails by itself is not."""
    count = tmp_path / "count"
    program = (
        "import os, pathlib, sys; file = pathlib.Path(sys.argv[1]); text = file.read_text() if file.exists() else ''\n"
        "file.write_text(text + '.'); end = sys.argv[2][len(text):]\n"
        "os.kill(os.getpid(), 9) if end[:1] == 'k' else sys.exit(int(end[:1] or 0))\n"
    )

    def ends(script: str, restarts: int) -> int:
        monkeypatch.setattr(Job, "arguments", lambda *_: [sys.executable, "-c", program, str(count), script])
        count.unlink(missing_ok=True)
        Job(words=["train"], restarts=restarts)()
        return len(count.read_text())

    assert ends("kk0", restarts=2) == 3
    for script, restarts, times in (("kkk", 2, 3), ("2", 2, 1), ("k1", 2, 2)):
        with pytest.raises(RuntimeError, match="facecond train left with status"):
            ends(script, restarts)
        assert len(count.read_text()) == times


def test_the_signal_to_queue_again_does_not_reach_the_command(monkeypatch: pytest.MonkeyPatch, in_a_job: None) -> None:
    program = "import os, signal, sys; os.kill(os.getpid(), signal.SIGUSR2); sys.exit(0)"
    monkeypatch.setattr(Job, "arguments", lambda *_: [sys.executable, "-c", program])
    Job(words=["train"])()


LONG = ["trainer.images=160", "trainer.evaluate_every=160", "trainer.checkpoint_every=8"]


def trained(workspace: Path, name: str) -> dict[str, torch.Tensor]:
    return load_file(workspace / "runs" / name / "weights.safetensors")


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[key], two[key]) for key in one)


@pytest.fixture(scope="module")
def calm(workspace: Path) -> dict[str, torch.Tensor]:
    """Weights of a training that was left alone."""
    call("train", "model=attr", "name=calm", f"workspace={workspace}", *MODEL, *TINY, *LONG)
    return trained(workspace, "calm")


def begun(workspace: Path, name: str) -> bool:
    folder = workspace / "runs" / name / "checkpoints"
    return folder.is_dir() and any(folder.iterdir())


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("launcher", ["local", "slurm"])
def test_a_pre_empted_training_is_queued_again_and_comes_to_the_same_weights(
    launcher: str, workspace: Path, calm: dict[str, torch.Tensor], running: Path, facecond: Facecond
) -> None:
    name = f"pre-empted-{launcher}"
    words = ["model=attr", f"name={name}", f"workspace={workspace}", *MODEL, *TINY, *LONG]
    made = submitted(facecond, "train", *words, f"launcher={launcher}", "launcher.gpus=0")
    number, log = made["facts"]["job"], Path(made["made"]["log"])
    until(lambda: begun(workspace, name), log)
    (process,) = processes_of(log.parent)
    if launcher == "slurm":  # which tells a job first, and may do no more for a while
        os.kill(process, signal.SIGTERM)
        until(lambda: "a checkpoint was written" in log.read_text(), log)
        time.sleep(1)
        assert processes_of(log.parent) == [process]
    os.kill(process, signal.SIGUSR2)
    assert outcome(log, number) == ("success", None), log.read_text()
    said = log.read_text()
    assert "this job is preempted" in said
    assert "stopped by SIGTERM" in said
    assert "a checkpoint was written" in said
    assert said.count("Loading pickle") == 2
    assert same(trained(workspace, name), calm)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_killed_training_goes_on_in_the_same_job(
    workspace: Path, calm: dict[str, torch.Tensor], running: Path, facecond: Facecond
) -> None:
    words = ["model=attr", "name=killed", f"workspace={workspace}", *MODEL, *TINY, *LONG]
    made = submitted(facecond, "train", *words, "launcher=local", "launcher.gpus=0")
    number, log = made["facts"]["job"], Path(made["made"]["log"])
    until(lambda: begun(workspace, "killed"), log)
    (process,) = processes_of(log.parent)
    (child,) = children_of(process)
    os.kill(child, signal.SIGKILL)
    assert outcome(log, number) == ("success", None), log.read_text()
    assert "killed by SIGKILL; it is started again" in log.read_text()
    assert same(trained(workspace, "killed"), calm)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_that_is_cancelled_leaves_its_state_and_the_command_continues(
    workspace: Path, calm: dict[str, torch.Tensor], running: Path, facecond: Facecond
) -> None:
    """The line that was printed cancels it."""
    words = ["model=attr", "name=cancelled", f"workspace={workspace}", *MODEL, *TINY, *LONG]
    made = submitted(facecond, "train", *words, "launcher=local", "launcher.gpus=0")
    number, log = made["facts"]["job"], Path(made["made"]["log"])
    until(lambda: begun(workspace, "cancelled"), log)
    subprocess.run(made["next"][-1], shell=True, check=True)
    kind, text = outcome(log, number)
    assert kind == "error"
    assert "was stopped; the same command continues" in text
    assert "a checkpoint was written" in log.read_text()
    assert not (workspace / "runs" / "cancelled" / "done.json").exists()
    call("train", *words)
    assert same(trained(workspace, "cancelled"), calm)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_of_two_processes_is_pre_empted_and_comes_to_the_same_weights(
    workspace: Path, running: Path, facecond: Facecond
) -> None:
    words = ["model=attr", f"workspace={workspace}", *MODEL, *TINY, *LONG]
    two = ["launcher=local", "launcher.gpus=0", "launcher.processes=2"]
    for name in ("two-calm", "two-pre-empted"):
        made = submitted(facecond, "train", *words, f"name={name}", *two)
        number, log = made["facts"]["job"], Path(made["made"]["log"])
        assert made["facts"]["processes"] == 2
        if name == "two-pre-empted":
            until(lambda: begun(workspace, "two-pre-empted"), log)
            (process,) = processes_of(log.parent)
            os.kill(process, signal.SIGUSR2)
        assert outcome(log, number) == ("success", None), log.read_text()
    assert log.read_text().count("Loading pickle") == 2
    assert "a checkpoint was written" in log.read_text()
    assert same(trained(workspace, "two-pre-empted"), trained(workspace, "two-calm"))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_job_whose_time_is_over_is_queued_again_and_ends(workspace: Path, running: Path, facecond: Facecond) -> None:
    """As often as was said, told ten seconds before its end; wherever the command is then, it stops and can be given again."""
    words = ["model=attr", "name=short", f"workspace={workspace}", *MODEL, *TINY, "trainer.images=1000000"]
    words += ["trainer.checkpoint_minutes=null", "trainer.checkpoint_every=1000000", "trainer.evaluate_every=1000000"]
    short = ["launcher=local", "launcher.gpus=0", "launcher.hours=0.0083", "launcher.notice=10", "launcher.requeues=1"]
    made = submitted(facecond, "train", *words, *short)
    number, log = made["facts"]["job"], Path(made["made"]["log"])
    kind, text = outcome(log, number)
    said = log.read_text()
    assert kind == "error"
    assert "timed-out too many times" in text
    assert said.count("Loading pickle") == 2
    assert said.count("stopped by SIGTERM") == 2
    until = time.monotonic() + 60
    while processes_of(log.parent) and time.monotonic() < until:  # it writes how it ended, then ends
        time.sleep(0.1)
    assert not processes_of(log.parent)
