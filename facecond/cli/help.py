"""The text below each `--help`: the config groups of the command and examples that run as they are.

It is made when it is shown, not for every command whenever the program starts.
"""

from typing import Any

from typer.core import CompletionItem, TyperCommand, TyperGroup

EXAMPLES: dict[str | None, tuple[str, ...]] = {
    None: (
        "facecond sample --attr +Smiling,+Blond_Hair",
        "facecond demo",
        "facecond train model=multicond",
        "facecond sample --eta 1.0",
        "facecond eval fid lpips miou",
        "facecond swap-masks",
    ),
    "data": ("facecond data draw --count 256 name=few", "facecond data inspect"),
    "export": ("facecond export web",),
    "config": ("facecond config list", "facecond config show train model=mask size=paper"),
    "data pack": (
        "facecond data pack data=celebamask_hq data.root=CelebAMask-HQ",
        "facecond data pack data=label_maps data.root=pairs resolution=128",
    ),
    "data draw": (
        "facecond data draw --count 256 name=few",
        "facecond data draw --count 20 layout=release resolution=256",
    ),
    "data inspect": ("facecond data inspect", "facecond data inspect drawn-64 sheet=24 --json"),
    "runs": ("facecond runs", "facecond runs demo kind=diffusion", "facecond runs kind=samples most=5 --json"),
    "verify": ("facecond verify", "facecond verify outputs/packs/drawn-64 --json", "facecond verify --repair"),
    "parse": (
        "facecond parse photo.jpg",
        "facecond parse photos photo.jpg align=always name=anew",
        "facecond parse photos classifier=none --json",
    ),
    "train": (
        "facecond train model=vq debug=quick",
        "facecond train model=multicond debug=quick",
        "facecond train model=attr --minutes 10 --dry-run",
        "facecond train model=maps debug=quick",
        "facecond train model=multicond experiment=paper --dry-run",
        "facecond train -m model=attr,mask debug=quick --dry-run",
        "facecond train model=attr launcher=slurm launcher.gpus=2 --dry-run",
    ),
    "encode": ("facecond encode", "facecond encode flips=false"),
    "sample": (
        "facecond sample --eta 1.0 --steps 10",
        "facecond sample --attr +Smiling,-Male,Eyeglasses --count 4 sampler=dpmpp",
        "facecond sample grid=attributes 'attribute_sets=[+Eyeglasses,+Smiling]' guidance.attributes=2 --steps 10",
    ),
    "eval": (
        "facecond eval fid lpips miou",
        "facecond eval miou accuracy attributes",
        "facecond eval miou --count 16 --steps 10 --json",
    ),
    "compare": (
        "facecond compare demo-multicond attr",
        "facecond compare demo-multicond attr fid miou --count 16 --json",
    ),
    "swap-masks": ("facecond swap-masks --steps 10", "facecond swap-masks --parts hair,nose --pairs 3:7 --steps 10"),
    "edit": (
        "facecond edit photo.jpg --attr +Smiling",
        "facecond edit photos --mask map.png name=other-maps",
        "facecond edit --items 0,1,2 --attr=-Male,+Eyeglasses --steps 10",
    ),
    "studio": (
        "facecond studio",
        "facecond studio run=multicond port=0 device=cpu",
        "facecond studio compare=attr --port 9000",
    ),
    "export web": (
        "facecond export web",
        "facecond export web run=multicond guidance.mask=3 name=page",
        "facecond export web --steps 10 maps=none people=0",
    ),
    "synthesize": (
        "facecond synthesize --count 16 --steps 10",
        "facecond synthesize --count 16 attributes=balanced 'pairs=[Eyeglasses+Wearing_Hat]' --steps 10",
        "facecond synthesize --count 8 --attr +Smiling maps_from=exchanged --steps 10",
    ),
    "report": ("facecond report", "facecond report demo-multicond by-attributes"),
    "demo": ("facecond demo", "facecond demo minutes=5"),
    "reproduce": (
        "facecond reproduce table5 --plan",
        "facecond reproduce figure6 figure8",
        "facecond reproduce table4 scale=small",
        "facecond reproduce synthetic study.real=512 study.count=512 --plan",
    ),
    "config list": ("facecond config list", "facecond config list --json"),
    "config show": ("facecond config show train", "facecond config show sample sampler=dpmpp"),
}
"""Commands to copy; those that need data work after `facecond demo`. A test runs them."""


class Command(TyperCommand):
    """A command with config groups and examples below its help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.epilog = epilog(ctx)
        super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Complete flags; and values that look like one."""
        from facecond.cli.complete import behind_a_dash

        found = super().shell_complete(ctx, incomplete)
        return found or [CompletionItem(word) for word in behind_a_dash(ctx, incomplete)]


class Group(TyperGroup):
    """Commands with examples below their help."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        self.epilog = epilog(ctx)
        super().format_help(ctx, formatter)


def epilog(ctx: Any) -> str:
    """Return the text below the help of the command that `ctx` is about."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, ctx.info_name)
        ctx = ctx.parent
    command = " ".join(names) or None
    lines = _groups(command) if command else []
    if command in ("eval", "compare"):
        lines += _measures()
    lines.append("[bold]Examples[/bold]")
    lines.extend(f"$ {example}".replace("[+", "\\[+") for example in EXAMPLES[command])
    return "\n".join(lines)


def _groups(command: str) -> list[str]:
    from facecond.config.catalogue import groups_of, options_of
    from facecond.config.commands.table import COMMANDS

    if command not in COMMANDS:
        return []
    lines = []
    for group, default in groups_of(command).items():
        marked = [f"[bold]{option}[/bold]" if option == default else option for option in options_of(group)]
        lines.append(f"[dim]{group}=[/dim] {' '.join(marked)}")
    if lines:
        lines = ["[bold]Config groups[/bold]", *lines]
    return [*lines, f"All keys: facecond config show {command.replace(' ', '-')}", " "]


def _measures() -> list[str]:
    from facecond.measuring.table import MEASURES

    return ["[bold]Measures[/bold]", *(f"[dim]{name}[/dim]  {each.help}" for name, each in MEASURES.items()), " "]
