"""From flags and overrides to a finished command: compose, choose defaults, run, show. One path for every command."""

import importlib
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from facecond.cli.show import as_values, print_configuration, print_json, print_remark, print_result
from facecond.errors import ConfigError
from facecond.io.files import require_writable, trusting_sizes
from facecond.processes import Processes, started
from facecond.progress import start_log

if TYPE_CHECKING:
    from facecond.commands.prepared import Prepared
    from facecond.commands.submit import Submission

MODULES = {
    "data pack": "facecond.commands.data_pack",
    "data draw": "facecond.commands.data_draw",
    "data inspect": "facecond.commands.data_inspect",
    "runs": "facecond.commands.runs",
    "verify": "facecond.commands.verify",
    "parse": "facecond.commands.parse",
    "train": "facecond.commands.train",
    "encode": "facecond.commands.encode",
    "sample": "facecond.commands.sample",
    "eval": "facecond.commands.eval",
    "compare": "facecond.commands.compare",
    "swap-masks": "facecond.commands.swap_masks",
    "edit": "facecond.commands.edit",
    "studio": "facecond.studio.command",
    "export web": "facecond.export.command",
    "synthesize": "facecond.commands.synthesize",
    "report": "facecond.commands.report",
    "demo": "facecond.demo.command",
    "reproduce": "facecond.experiments.command",
}
"""Module of each command; it has `prepare(words) -> Prepared`, which finds defaults on disk, and `run(prepared) -> Result`; where
--dry-run says more than the configuration, also `foresee(prepared) -> dict`."""

READING = ("runs", "verify", "studio")
"""Commands that may read where nothing can be written; what they remember is then not kept."""

TOGETHER = ("train", "encode", "sample", "eval", "compare", "swap-masks", "parse", "synthesize")
"""Commands whose work several processes can share (torchrun), and that can become jobs (launcher=)."""


def execute(
    command: str,
    overrides: Sequence[str] | None,
    flags: Mapping[str, Any] | None = None,
    *,
    json: bool = False,
    dry_run: bool = False,
    multirun: bool = False,
    each: Sequence[str] = (),
) -> None:
    """Run `command` and print what it made.

    Args:
        command: a key of `MODULES`.
        overrides: words as typed.
        flags: values of named flags by the key they stand for; None = not given.
        json: print the result as JSON on standard output.
        dry_run: print the checked configuration and stop.
        multirun: expand sweeps and run once for each combination.
        each: run once with each of these overrides before the others; none = run once.

    Raises:
        ConfigError: for a key given both as flag, or in `each`, and as override, for a command that torchrun cannot share out,
            and whatever composing refuses.
    """
    size = started("WORLD_SIZE", 1)
    rank = started("RANK", 0) if size > 1 else 0
    start_log(quiet=rank > 0)
    if size > 1 and command not in TOGETHER:
        raise ConfigError(
            f"{command} runs in one process, but torchrun started {size}", hint=f"start it as: facecond {command}"
        )
    words = [*(overrides or []), *_flag_overrides(overrides or [], flags or {})]
    for key in {word.partition("=")[0] for word in each} & {word.partition("=")[0] for word in words}:
        raise ConfigError(f"{key} is given twice, as a name and as an override", hint="give it once")
    rounds = [[word, *words] for word in each] or [words]
    if multirun:
        from facecond.config.sweep import expand

        rounds = [combination for words in rounds for combination in expand(words)]
    given = [word for word in words if word.startswith("verify=")]
    with trusting_sizes(given[-1:] == ["verify=size"]):  # also while it is prepared, which opens packs and latents
        _execute(command, rounds, rank=rank, size=size, json=json, dry_run=dry_run)


def _execute(command: str, rounds: Sequence[Sequence[str]], *, rank: int, size: int, json: bool, dry_run: bool) -> None:
    """Prepare every round before any runs; `rank` 0 of `size` speaks."""
    module = importlib.import_module(MODULES[command])
    prepared = [module.prepare(words) for words in rounds]
    if len({item.name for item in prepared}) < len(prepared):
        if not hasattr(prepared[0].config, "name"):
            raise ConfigError(
                f"two of the {len(prepared)} runs of {command} would write the same files",
                hint="sweep over what tells them apart",
            )
        prepared = [
            module.prepare([*words, f"name={item.name}-{i}"])
            for i, (words, item) in enumerate(zip(rounds, prepared, strict=True))
        ]
        rounds = [[*words, f"name={item.name}"] for words, item in zip(rounds, prepared, strict=True)]
    jobs = _jobs(command, rounds, prepared, size) if command in TOGETHER else [None] * len(prepared)
    if dry_run:
        shown = []
        for item, job in zip(prepared, jobs, strict=True) if rank == 0 else []:
            item.announce()
            item.processes = Processes(rank, job.size if job else size)
            more = module.foresee(item) if hasattr(module, "foresee") else {}
            more |= {"job": job.values()} if job else {}
            shown.append(as_values(item.composed) | more)
            if not json:
                print_configuration(item.composed, as_json=False)
                print_remark(job.text() if job else "")
        if json and rank == 0:
            print_json(shown[0] if len(shown) == 1 else shown)
        return
    for item in prepared if command not in READING else []:
        require_writable(Path(item.config.workspace))
    results, statuses = [], []
    with Processes.from_environment() as processes:
        for i, (item, job) in enumerate(zip(prepared, jobs, strict=True)):
            if len(prepared) > 1:
                logging.getLogger("facecond").info("run %d of %d: %s", i + 1, len(prepared), " ".join(rounds[i]))
            item.processes = processes
            result = job.submit() if job else module.run(item)
            results.append(result.as_dict())
            statuses.append(result.status)
            if processes.first and not json:
                print_result(result)
    if json and rank == 0:
        print_json(results[0] if len(results) == 1 else results)
    if any(statuses):
        raise typer.Exit(max(statuses))


def _jobs(
    command: str, rounds: Sequence[Sequence[str]], prepared: Sequence["Prepared[Any, Any]"], size: int
) -> list["Submission | None"]:
    """The jobs that the rounds become, where they name a launcher."""
    if not any(getattr(item.config, "launcher", None) for item in prepared):
        return [None] * len(prepared)
    if size > 1:
        raise ConfigError("launcher= starts the processes of a job itself", hint="leave torchrun out")
    from facecond.commands.submit import submission

    return [submission(command, words, item) for words, item in zip(rounds, prepared, strict=True)]


def _flag_overrides(overrides: Sequence[str], flags: Mapping[str, Any]) -> list[str]:
    from facecond.config.compose import quoted

    given = {word.partition("=")[0] for word in overrides}
    words = []
    for key, value in flags.items():
        if value is None:
            continue
        if key in given:
            raise ConfigError(f"{key} is given twice, as a flag and as an override", hint="give it once")
        words.append(f"{key}={quoted(value)}")
    return words
