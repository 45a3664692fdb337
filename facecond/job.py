"""What a submitted job does: it runs a command in processes of its own, and runs it again where it was stopped or killed.

submitit calls a `Job` where the job runs, and its `checkpoint` when SIGUSR2 tells that the job's time is nearly over or that it
is pre-empted. Every command continues when it is given again, so what is left is the same job once more.
"""

import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

STAY = 600.0
"""Seconds a job that Slurm told to stop (SIGTERM) waits, its command having stopped, for Slurm to end it: one that ends by itself
is not queued again after pre-emption."""

FIRST_PORT, PORTS = 20_000, 20_000
"""Where processes of several machines meet: a port from these, by the number of the job."""


@dataclass(kw_only=True, slots=True)
class Job:
    """A command, and the processes that share it."""

    words: list[str]
    """The command as typed, without its launcher: ["train", "model=attr"]."""
    processes: int = 1
    """On each machine."""
    machines: int = 1
    restarts: int = 0
    """Times that processes are started again: one process when a signal killed it, several when any of them failed."""
    patience: float = 120.0
    """Seconds that the command has to stop when it is told to."""
    devices: str | None = None
    """CUDA_VISIBLE_DEVICES of its processes; None = as the launcher sets it."""
    _running: "subprocess.Popen[bytes] | None" = field(default=None, init=False, repr=False, compare=False)
    _stopping: bool = field(default=False, init=False, repr=False, compare=False)

    def arguments(self, number: str = "JOB", first: str = "FIRST_MACHINE") -> list[str]:
        """The program that is started on each machine.

        Args:
            number: the job's number.
            first: name of its first machine, where processes of several meet.
        """
        command = ["-m", "facecond", *self.words]
        if self.processes * self.machines == 1:
            return [sys.executable, *command]
        port = FIRST_PORT + int(number) % PORTS if number.isdecimal() else "PORT"
        meet = ["--standalone"]
        if self.machines > 1:
            meet = [
                f"--nnodes={self.machines}",
                "--rdzv-backend=c10d",
                f"--rdzv-id={number}",
                f"--rdzv-endpoint={first}:{port}",
            ]
        shared = [f"--nproc-per-node={self.processes}", *meet, f"--max-restarts={self.restarts}"]
        return [sys.executable, "-m", "torch.distributed.run", *shared, *command]

    def __call__(self) -> None:
        """Run the command to its end, where submitit does. Raises RuntimeError when it fails or is stopped."""
        from submitit import JobEnvironment

        here = JobEnvironment()
        arguments = self.arguments(here.raw_job_id, here.hostnames[0])
        signal.signal(signal.SIGTERM, self._stop)  # which submitit ignores
        alone = self.processes * self.machines == 1
        status = self._run(arguments)
        for left in reversed(range(self.restarts if alone else 0)):  # torchrun starts several again by itself
            if status >= 0 or self._stopping:
                break
            _say(f"killed by {signal.Signals(-status).name}; it is started again ({left} times more)")
            status = self._run(arguments)
        if status != 0 and self._stopping and here.name() == "slurm":
            time.sleep(STAY)
        if status != 0:
            how = "was stopped; the same command continues" if self._stopping else f"left with status {status}"
            raise RuntimeError(f"facecond {self.words[0]} {how}")

    def checkpoint(self) -> Any:
        """Stop the command, which writes what it has, and return what is to be run when the job is started again."""
        from submitit.helpers import DelayedSubmission

        self._tell()
        until = time.monotonic() + self.patience
        while self._running is not None and not _ended(self._running.pid) and time.monotonic() < until:
            time.sleep(0.05)
        return DelayedSubmission(dataclasses.replace(self))

    def _run(self, arguments: list[str]) -> int:
        """Start the program and wait for it; return its exit status, less than 0 when a signal killed it."""
        _say(shlex.join(arguments))
        told = {"TORCH_ELASTIC_SHUTDOWN_TIMEOUT": str(int(self.patience))}
        if self.devices is not None:
            told["CUDA_VISIBLE_DEVICES"] = self.devices
        # The signal to queue again is ours alone, also where Slurm sends it to every process of a job: it would kill them.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})
        try:
            self._running = subprocess.Popen(arguments, env=os.environ | told)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        if self._stopping:  # told while it was being started
            self._running.terminate()
        try:
            return self._running.wait()
        finally:
            if self._running.returncode is None:  # the wait was broken off, by SIGINT
                self._tell()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._tell()

    def _tell(self) -> None:
        """Tell the command to stop, once: when it is told again it leaves without writing what it has."""
        told, self._stopping = self._stopping, True
        if self._running is not None and not told:
            self._running.terminate()


def _ended(number: int) -> bool:
    """Whether a child has ended. Popen cannot be asked: the signal has broken off its own waiting."""
    try:
        return os.waitpid(number, os.WNOHANG)[0] == number
    except ChildProcessError:
        return True


def _say(text: str) -> None:
    sys.stdout.write(f"facecond: {text}\n")
    sys.stdout.flush()
