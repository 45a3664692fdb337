"""How a command becomes a job: one configuration class per option of the group `launcher`."""

from dataclasses import dataclass, field

from facecond.bounds import bounded, fixed


@dataclass(kw_only=True, slots=True)
class LauncherConfig:
    """Base of the launchers' configurations; an option of the group `launcher` is one of them.

    Nothing here decides what a command makes.
    """

    gpus: int | None = bounded(None, minimum=0, maximum=1024)
    """GPUs of each machine, with a process for each; none = 1, or 0 with device=cpu."""
    processes: int | None = bounded(None, minimum=1, maximum=1024)
    """Processes on each machine; none = one for each GPU, or one."""
    hours: float = bounded(24.0, above=0.0, maximum=8760.0)
    """Time the job has; when it is over, the job is queued again and continues."""
    notice: int = bounded(120, minimum=1, maximum=65_535)
    """Seconds before the end of that time at which the command is told to stop: a training writes its state then."""
    requeues: int = bounded(50, minimum=0, maximum=100_000)
    """Times the job is queued again because its time was over; pre-emptions are not counted."""
    restarts: int = bounded(3, minimum=0, maximum=1000)
    """Times that processes are started again inside the job: one when a signal killed it, several when any of them failed."""
    logs: str | None = None
    """Folder of the jobs' logs, which every machine sees; none = WORKSPACE/jobs."""


@dataclass(kw_only=True, slots=True)
class LocalConfig(LauncherConfig):
    """In the background, on this machine."""

    kind: str = fixed("local")
    """Written launcher=local."""
    requeues: int = bounded(5, minimum=0, maximum=5)
    """Times the job is started again because its time was over; five, pre-emptions included, is all that submitit does here."""


@dataclass(kw_only=True, slots=True)
class SlurmConfig(LauncherConfig):
    """By Slurm, on a cluster."""

    kind: str = fixed("slurm")
    """Written launcher=slurm."""
    machines: int = bounded(1, minimum=1, maximum=10_000)
    """Machines (Slurm's nodes)."""
    cores: int = bounded(4, minimum=1, maximum=1024)
    """CPU cores for each process."""
    memory: float | None = bounded(None, above=0.0)
    """Memory of each machine, GB; none = what the cluster gives by default."""
    partition: str | None = None
    """Partition; none = the cluster's default."""
    account: str | None = None
    """Account that is charged; none = the person's own."""
    qos: str | None = None
    """Quality of service; none = the account's."""
    sbatch: list[str] = field(default_factory=list)
    """Further options of sbatch, as NAME or NAME=VALUE without dashes: ["constraint=a100","exclusive"]."""
    setup: list[str] = field(default_factory=list)
    """Lines of shell that run before the command, for example ["module load cuda"]."""


LAUNCHERS: dict[str, type[LauncherConfig]] = {"local": LocalConfig, "slurm": SlurmConfig}
"""Configuration class of each launcher."""
