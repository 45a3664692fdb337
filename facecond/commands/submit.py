"""`launcher=`: a command that was prepared becomes a job, in the background of this machine or on a cluster (submitit)."""

from __future__ import annotations

import math
import os
import shlex
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.base import NO_JUDGE, NO_MAPS, Device
from facecond.config.compose import quoted
from facecond.config.launcher import LauncherConfig, LocalConfig, SlurmConfig
from facecond.config.settings import first_line
from facecond.errors import ConfigError, FacecondError
from facecond.job import Job
from facecond.processes import Processes

if TYPE_CHECKING:
    from submitit import LocalExecutor, SlurmExecutor

FOLDER = "jobs"
"""Folder of the workspace that holds the jobs' logs."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Submission:
    """A job that was checked and can be submitted."""

    prepared: Prepared[Any, Any]
    launcher: LauncherConfig
    job: Job
    gpus: int
    """On each machine."""
    folder: Path
    """Of its logs and of what submitit keeps."""

    @property
    def size(self) -> int:
        """Processes in all."""
        return self.job.processes * self.job.machines

    def values(self) -> dict[str, Any]:
        """What is submitted, as JSON values; JOB stands for the number it will have."""
        return {
            "launcher": self.prepared.composed.choices["launcher"], "machines": self.job.machines, "gpus": self.gpus,
            "processes": self.size, "runs": self.job.arguments(), "log": str(self._log("JOB")),
            "script": self._executor_of_slurm(self.launcher)[1] if isinstance(self.launcher, SlurmConfig) else None,
        }  # fmt: skip

    def text(self) -> str:
        """The same for people: the script that sbatch is given, and the program it starts."""
        values = self.values()
        script = values["script"] or f"in the background, at most {self.launcher.hours:g} hours at a time\n"
        return f"launcher={values['launcher']}, log: {values['log']}\n{script}runs: {shlex.join(values['runs'])}\n"

    def submit(self) -> Result:
        """Submit the job. Raises FacecondError when the cluster refuses it."""
        self.prepared.announce()
        if isinstance(self.launcher, SlurmConfig):
            number = self._to_slurm(self.launcher)
            look, cancel = [f"squeue --job {number}"], f"scancel {number}"
        else:
            number = self._to_the_background()
            look, cancel = [], f"kill {number}"
        log, values = self._log(number), self.values()
        return Result(
            command=self.job.words[0],
            used=self.prepared.used,
            facts={"job": number} | {key: values[key] for key in ("launcher", "machines", "gpus", "processes")},
            made={"log": log},
            next=[*look, f"tail -F {shlex.quote(str(log))}", cancel],
        )

    def _log(self, number: str) -> Path:
        return self.folder / f"{number}_0_log.out"

    def _to_slurm(self, launcher: SlurmConfig) -> str:
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        for program in ("sbatch", "srun"):
            if shutil.which(program) is None:
                raise ConfigError(
                    f"launcher=slurm: there is no {program} on this machine",
                    hint="type the command where sbatch is, or with launcher=local; --dry-run shows the script anywhere",
                )
        executor, _ = self._executor_of_slurm(launcher)
        try:
            return str(executor.submit(self.job).job_id)
        except (FailedJobError, FailedSubmissionError) as error:
            raise FacecondError(
                f"sbatch refused the job: {first_line(error)}", hint="--dry-run shows its script"
            ) from error

    def _executor_of_slurm(self, launcher: SlurmConfig) -> tuple[SlurmExecutor, str]:
        """What submits to Slurm, and the text of the script it submits."""
        from submitit import SlurmExecutor

        class Anywhere(SlurmExecutor):
            """submitit 1.5.4 makes no script where srun is missing."""

            @classmethod
            def affinity(cls) -> int:
                return 2

        cores = launcher.cores * self.job.processes
        named = {"partition": launcher.partition, "account": launcher.account, "qos": launcher.qos}
        options: dict[str, str | bool] = {"requeue": True}
        for option in launcher.sbatch:
            name, equals, value = option.lstrip("-").partition("=")
            options[name.replace("-", "_")] = value if equals else True  # as submitit writes them: the last word counts
        executor = Anywhere(self.folder, max_num_timeout=launcher.requeues)
        executor.update_parameters(
            job_name=f"facecond-{self.folder.name}",
            time=math.ceil(60 * launcher.hours),
            nodes=launcher.machines,
            ntasks_per_node=1,
            cpus_per_task=cores,
            gpus_per_node=self.gpus or None,
            mem=None if launcher.memory is None else f"{math.ceil(launcher.memory * 1024)}MB",
            signal_delay_s=launcher.notice,
            stderr_to_stdout=True,
            setup=list(launcher.setup) or None,
            srun_args=[f"--cpus-per-task={cores}"],  # since Slurm 22.05 srun does not take it over from sbatch
            wckey=None,
            additional_parameters=options,
            **named,
        )
        return executor, executor._make_submission_file_text(executor._submitit_command_str, "")

    def _to_the_background(self) -> str:
        from submitit import LocalExecutor

        executor: LocalExecutor = LocalExecutor(self.folder, max_num_timeout=self.launcher.requeues)
        executor.update_parameters(
            timeout_min=60 * self.launcher.hours,
            signal_delay_s=self.launcher.notice,
            stderr_to_stdout=True,
            gpus_per_node=self.gpus,
        )
        with _apart(self.folder / "launcher.log"):
            return str(executor.submit(self.job).job_id)


def submission(command: str, words: Sequence[str], prepared: Prepared[Any, Any]) -> Submission | None:
    """The job that a command becomes, given the `words` it was prepared with; None where it names no launcher.

    Raises ConfigError for settings that contradict one another, and where submitit is not installed.
    """
    config = prepared.config
    launcher: LauncherConfig | None = getattr(config, "launcher", None)
    if launcher is None:
        return None
    if find_spec("submitit") is None:
        raise ConfigError(
            f"launcher={prepared.composed.choices['launcher']} needs submitit, which is not installed",
            hint="pip install 'facecond[slurm]'",
        )
    if not hasattr(signal, "SIGUSR2"):
        raise ConfigError(
            "launcher= needs signals that this system does not have", hint="run it here: leave launcher out"
        )
    gpus = gpus_of(config)
    machines = launcher.machines if isinstance(launcher, SlurmConfig) else 1
    processes = launcher.processes or max(gpus, 1)
    if 0 < gpus < processes:
        raise ConfigError(
            f"launcher.processes={processes} and launcher.gpus={gpus}: every process needs a GPU of its own",
            hint="leave launcher.processes out",
        )
    if 3600 * launcher.hours <= launcher.notice:
        raise ConfigError(
            f"launcher.notice={launcher.notice} seconds are all of launcher.hours={launcher.hours:g}",
            hint="tell the command later, or give it more time",
        )
    if command == "train":
        _check_shared(config, processes * machines)
    own = [word for word in words if word.partition("=")[0].partition(".")[0] != "launcher"]
    job = Job(
        words=[*command.split(), *own, *_found(command, prepared)],
        processes=processes,
        machines=machines,
        restarts=launcher.restarts,
        patience=launcher.notice,
        devices=_visible(gpus) if isinstance(launcher, LocalConfig) else None,
    )
    logs = Path(launcher.logs) if launcher.logs else Path(config.workspace) / FOLDER
    folder = (logs / f"{command}-{prepared.name}").absolute()
    return Submission(prepared=prepared, launcher=launcher, job=job, gpus=gpus, folder=folder)


def gpus_of(config: Any) -> int:
    """GPUs that a job of a command with `config` has on each machine. Raises ConfigError when `device` says something else."""
    assert config.launcher is not None
    gpus = config.launcher.gpus
    if gpus is None:
        return 0 if config.device is Device.cpu else 1
    if (gpus > 0) is (config.device is Device.cpu) and config.device is not Device.auto:
        raise ConfigError(
            f"launcher.gpus={gpus} and device={config.device.name} contradict one another", hint="drop one"
        )
    return gpus


def device_of(config: Any) -> str | None:
    """Where a job will compute, "cpu" or "cuda", when its launcher says so; None = where this process would."""
    if config.launcher is None:
        return None
    gpus = gpus_of(config)
    return "cpu" if gpus == 0 else "cuda" if isinstance(config.launcher, SlurmConfig) else None


def _check_shared(config: Any, size: int) -> None:
    """Refuse what `size` processes would refuse, before they wait for their turn."""
    if size == 1:
        return
    from facecond.training.run import divide

    divide(config.trainer, Processes(size=size))
    if config.minutes is not None:
        raise ConfigError(f"minutes= is planned by one process, and the job has {size}", hint="say trainer.images=")


def _found(command: str, prepared: Prepared[Any, Any]) -> list[str]:
    """Overrides that name run, pack, first stage, size and name that were found by default, so that the job finds the same whenever
    its turn comes. Judges that nobody named are looked for when it runs.
    """
    found, given = prepared.found, prepared.composed.given
    named: dict[str, Any] = {}
    if command == "train":
        named = {"name": prepared.name, "pack": found.pack, "first_stage": found.first_stage}
    elif command == "encode":
        named = {"pack": found.pack, "first_stage": found.first_stage}
    elif command == "parse":
        named = {"parser": found.parser, "classifier": found.classifier}
    elif command in ("sample", "swap-masks", "synthesize") or (
        command == "eval" and not given("samples") and not given("reference")
    ):
        origin = found.origin if command == "eval" else found
        named = {"run": origin.run.path, "pack": origin.own_pack}
        if command == "sample":
            named["maps"] = found.maps.path if found.maps else NO_MAPS
        if command == "synthesize":
            named |= {
                "maps": found.maps.path if found.maps else None,
                "parser": found.parser or NO_JUDGE,
                "classifier": found.classifier or NO_JUDGE,
            }
    words = [f"{key}={quoted(str(value))}" for key, value in named.items() if value is not None and not given(key)]
    if command == "train" and "size" in prepared.used:
        words.append(f"size={prepared.composed.choices['size']}")
    return words


def _visible(gpus: int) -> str:
    """CUDA_VISIBLE_DEVICES of a job on this machine: the first of those that are visible here."""
    before = os.environ.get("CUDA_VISIBLE_DEVICES")
    here = list(map(str, range(gpus))) if before is None else [each for each in before.split(",") if each.strip()]
    return ",".join(here[:gpus])


@contextmanager
def _apart(log: Path) -> Iterator[None]:
    """Let submitit start what runs in the background apart from us, writing to `log`.

    submitit 1.5.4 starts it with our own streams, which whoever reads them would wait for, and in our own session, whose Ctrl-C it
    would obey.
    """
    import submitit.local.local as local

    log.parent.mkdir(parents=True, exist_ok=True)
    before = local.subprocess
    with log.open("ab") as stream:
        start = partial(
            subprocess.Popen, start_new_session=True, stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT
        )
        setattr(local, "subprocess", SimpleNamespace(Popen=start))  # noqa: B010 - a module has no such field for mypy
        try:
            yield
        finally:
            setattr(local, "subprocess", before)  # noqa: B010
