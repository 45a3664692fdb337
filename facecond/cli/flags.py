"""Named flags that several commands take, shorthand for overrides; what a shell completes is asked of `facecond.cli.complete`."""

import inspect
from collections.abc import Callable
from typing import Annotated

import typer

from facecond.conditions.table import CONDITIONS


def completed_by(name: str, *more: str) -> Callable[[typer.Context, str], list[str]]:
    """A function of `facecond.cli.complete`, given `more`; it is imported when a shell asks."""

    def completed(ctx: typer.Context, incomplete: str) -> list[str]:
        from facecond.cli import complete

        found: list[str] = getattr(complete, name)(ctx, incomplete, *more)
        return found

    return completed


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[OVERRIDES]...",
        help="group=option or key.path=value, as many as you like.",
        autocompletion=completed_by("overrides"),
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Check and print the configuration, run nothing.")]
Multirun = Annotated[
    bool,
    typer.Option(
        "-m", "--multirun", help="Run once for each combination of values: KEY=A,B (overrides only, not flags)."
    ),
]
Run = Annotated[
    str | None,
    typer.Option(
        help="Run to use; the latest when not named (run=).",
        autocompletion=completed_by("value", "run"),
        show_default=False,
    ),
]
Pack = Annotated[
    str | None,
    typer.Option(
        help="Pack to use; the latest when not named (pack=).",
        autocompletion=completed_by("value", "pack"),
        show_default=False,
    ),
]
Eta = Annotated[
    float | None,
    typer.Option(help="0 = deterministic, 1 = fresh noise at every step (sampler.eta=).", show_default=False),
]
Steps = Annotated[int | None, typer.Option(help="Sampling steps (sampler.steps=).", show_default=False)]
Seed = Annotated[int | None, typer.Option(help="Seed of the starting noise (seed=).", show_default=False)]
Count = Annotated[
    int | None, typer.Option("--count", "-n", help="How many conditions, or pairs (count=).", show_default=False)
]
Parts = Annotated[
    str | None, typer.Option(help="Parts to exchange, for example hair,nose (parts=).", show_default=False)
]
Pairs = Annotated[str | None, typer.Option(help="Validation items, for example 3:17,5:8 (pairs=).", show_default=False)]


def with_condition_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Let `command` take, in place of its `**given`, the flag of every condition, before its other flags."""
    own = inspect.signature(command)
    flags = {
        each.word: Annotated[
            str | None,
            typer.Option(
                help=f"{each.help} ({each.word}=).",
                autocompletion=completed_by("value", each.word),
                show_default=False,
            ),
        ]
        for each in CONDITIONS.values()
    }
    words = [
        inspect.Parameter(word, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for word, kind in flags.items()
    ]
    others = [each for each in own.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    command.__signature__ = own.replace(parameters=[*others, *words])  # type: ignore[attr-defined]
    command.__annotations__ |= flags
    return command
