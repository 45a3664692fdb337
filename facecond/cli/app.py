"""What the user types: signatures and help of every command; the work is in `facecond.commands`.

Every command takes Hydra overrides (`group=option`, `key.path=value`) as positional words; a few named flags are shorthand for
overrides. Nothing heavy is imported before a command has been understood and its configuration checked.
"""

from typing import Annotated

import typer

from facecond.cli.execute import execute
from facecond.cli.flags import (
    AsJson,
    Count,
    DryRun,
    Eta,
    Multirun,
    Overrides,
    Pack,
    Pairs,
    Parts,
    Run,
    Seed,
    Steps,
    completed_by,
    with_condition_flags,
)
from facecond.cli.help import Command, Group
from facecond.cli.words import listed, places_among, told_apart
from facecond.errors import ConfigError, nearest

app = typer.Typer(
    name="facecond",
    help="Make faces you can steer: by 40 attributes, by a map of the parts of a face, by a line drawing, or by several.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
data = typer.Typer(
    help="Prepare face data: pack a data set, draw faces, look inside a pack.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
config = typer.Typer(help="See what can be configured.", cls=Group, no_args_is_help=True, rich_markup_mode="rich")
export = typer.Typer(
    help="Take a model elsewhere: the page and its networks as a folder of files.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(data, name="data")
app.add_typer(export, name="export")
app.add_typer(config, name="config")


@app.callback(invoke_without_command=True)
def top(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
) -> None:
    """Make faces you can steer: by 40 attributes, by a map of the parts of a face, by a line drawing, or by several."""
    if version:
        from facecond import __version__

        typer.echo(f"facecond {__version__}")
        raise typer.Exit


@data.command("pack", cls=Command)
def data_pack(
    overrides: Overrides = None, json: AsJson = False, dry_run: DryRun = False, multirun: Multirun = False
) -> None:
    """Turn a data set of pictures and label maps into a pack: one folder of arrays, checked and hashed."""
    execute("data pack", overrides, json=json, dry_run=dry_run, multirun=multirun)


@data.command("draw", cls=Command)
def data_draw(
    overrides: Overrides = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the faces (data.seed=).", show_default=False)] = None,
    count: Annotated[
        int | None, typer.Option("--count", "-n", help="How many faces (data.count=).", show_default=False)
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Draw faces by program, with exact label maps and attributes: the data set that needs no download."""
    execute(
        "data draw", overrides, {"data.seed": seed, "data.count": count}, json=json, dry_run=dry_run, multirun=multirun
    )


@data.command("inspect", cls=Command)
def data_inspect(
    pack: Annotated[
        str | None,
        typer.Argument(
            help="Pack; the latest when not named.",
            autocompletion=completed_by("packs_and_overrides"),
            show_default=False,
        ),
    ] = None,
    overrides: Overrides = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Count what is in a pack, list suspicious items and draw a contact sheet."""
    words = list(overrides or [])
    if pack is not None and "=" in pack:
        words, pack = [pack, *words], None
    execute("data inspect", words, {"pack": pack}, json=json, dry_run=dry_run)


@app.command("runs", cls=Command)
def runs(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[WORD]... [OVERRIDES]...",
            help="What names must contain; then overrides.",
            autocompletion=completed_by("names_and_overrides"),
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """List what the workspace holds: packs, runs, samples, results; from what, how much learnt, figures, size, when, what next.

    Nothing is written; what cannot be read is listed with a remark.
    """
    named, overrides = told_apart(words)
    execute("runs", overrides, {"words": listed(named)}, json=json, dry_run=dry_run)


@app.command("verify", cls=Command)
def verify(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PLACES]... [OVERRIDES]...",
            help="Folders and files to check, the workspace when none is named; then overrides.",
            autocompletion=completed_by("photos_and_overrides"),
            show_default=False,
        ),
    ] = None,
    repair: Annotated[
        bool | None,
        typer.Option("--repair", help="Make again what can be made from files that are whole (repair=true)."),
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Read every file again and compare it with what vouches for it: packs, latents, runs, samples, results.

    What is damaged, altered or missing is listed with what helps; the exit status is then 2.
    """
    places, overrides = places_among(words)
    execute("verify", overrides, {"places": places, "repair": repair}, json=json, dry_run=dry_run)


@app.command("parse", cls=Command)
def parse(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PHOTOS... [OVERRIDES]...",
            help="Pictures, and folders of pictures; then overrides.",
            autocompletion=completed_by("photos_and_overrides"),
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Turn photographs into label maps and attributes: find the face, frame it as CelebA-HQ does, parse it.

    What it writes can be packed. Running the same command again does only what is missing.
    """
    photos, overrides = places_among(words)
    execute("parse", overrides, {"photos": photos}, json=json, dry_run=dry_run, multirun=multirun)


@app.command("train", cls=Command)
def train(
    overrides: Overrides = None,
    pack: Pack = None,
    minutes: Annotated[
        float | None, typer.Option(help="Time to plan for on this machine (minutes=).", show_default=False)
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Train a model (model=): a diffusion model, the first stage (vq), or a judge (parser, classifier).

    Running the same command again continues where it stopped.
    """
    execute("train", overrides, {"pack": pack, "minutes": minutes}, json=json, dry_run=dry_run, multirun=multirun)


@app.command("encode", cls=Command)
def encode(
    overrides: Overrides = None,
    pack: Pack = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Write the latents of a pack's pictures into the pack, once."""
    execute("encode", overrides, {"pack": pack}, json=json, dry_run=dry_run, multirun=multirun)


@app.command("sample", cls=Command)
@with_condition_flags
def sample(
    overrides: Overrides = None,
    run: Run = None,
    eta: Eta = None,
    steps: Steps = None,
    seed: Seed = None,
    count: Count = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
    **given: str | None,
) -> None:
    """Sample faces that obey what they are told, or the conditions of validation items."""
    flags = {"run": run, **given, "sampler.eta": eta, "sampler.steps": steps, "seed": seed, "count": count}
    execute("sample", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("eval", cls=Command)
def evaluate(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="MEASURES... [OVERRIDES]...",
            help="Measures (listed below); then overrides.",
            autocompletion=completed_by("measures_and_overrides"),
            show_default=False,
        ),
    ] = None,
    run: Run = None,
    eta: Eta = None,
    steps: Steps = None,
    seed: Seed = None,
    count: Count = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Measure how well samples obey their conditions and resemble real pictures, beside the ceiling and the floor."""
    named, overrides = told_apart(words)
    measures = f"[{','.join(named)}]" if named else None
    flags = {"measures": measures, "run": run, "sampler.eta": eta, "sampler.steps": steps, "seed": seed, "count": count}
    execute("eval", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("compare", cls=Command)
def compare(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="RUN RUN [MEASURES]... [OVERRIDES]...",
            help="Two runs; measures (listed below), those of what both runs are told when none is named; then overrides.",
            autocompletion=completed_by("compared_and_overrides"),
            show_default=False,
        ),
    ] = None,
    eta: Eta = None,
    steps: Steps = None,
    seed: Seed = None,
    count: Count = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Measure two runs on the same conditions; show the first less the second, with intervals of the differences."""
    named, overrides = told_apart(words)
    measures = f"[{','.join(named[2:])}]" if named[2:] else None
    flags = {
        "runs": listed(named[:2]),
        "measures": measures,
        "sampler.eta": eta,
        "sampler.steps": steps,
        "seed": seed,
        "count": count,
    }
    execute("compare", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("swap-masks", cls=Command)
def swap_masks(
    overrides: Overrides = None,
    parts: Parts = None,
    pairs: Pairs = None,
    run: Run = None,
    eta: Eta = None,
    steps: Steps = None,
    seed: Seed = None,
    count: Count = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Exchange parts of the masks of two people and sample both mixed masks."""
    flags = {
        "parts": f"[{parts}]" if parts is not None else None,
        "pairs": "[" + ",".join(f"'{pair}'" for pair in pairs.split(",")) + "]" if pairs is not None else None,
        "run": run, "sampler.eta": eta, "sampler.steps": steps, "seed": seed, "count": count,
    }  # fmt: skip
    execute("swap-masks", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("edit", cls=Command)
@with_condition_flags
def edit(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PHOTOS]... [OVERRIDES]...",
            help="Pictures, and folders of pictures; then overrides.",
            autocompletion=completed_by("photos_and_overrides"),
            show_default=False,
        ),
    ] = None,
    items: Annotated[
        str | None,
        typer.Option(help="Validation items in place of photographs, for example 0,5 (items=).", show_default=False),
    ] = None,
    paint: Annotated[
        list[str] | None,
        typer.Option(help="A part as another label map has it: hair=other.png (paint=).", show_default=False),
    ] = None,
    region: Annotated[
        str | None, typer.Option(help="Parts that may change in any case, or all (region=).", show_default=False)
    ] = None,
    strength: Annotated[
        float | None, typer.Option(help="0 changes nothing, 1 begins at noise (strength=).", show_default=False)
    ] = None,
    run: Run = None,
    steps: Steps = None,
    seed: Seed = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
    **given: str | None,
) -> None:
    """Change photographs, or people of a pack, in one respect; outside of the region concerned not one byte changes.

    Running the same command again does only what is missing.
    """
    photos, overrides = places_among(words)
    flags = {
        "photos": photos, "items": f"[{items}]" if items is not None else None, **given,
        "paint": listed(paint or []), "region": f"[{region}]" if region is not None else None, "strength": strength,
        "run": run, "sampler.steps": steps, "seed": seed,
    }  # fmt: skip
    execute("edit", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("studio", cls=Command)
def studio(
    overrides: Overrides = None,
    run: Run = None,
    port: Annotated[
        int | None, typer.Option(help="Port to listen at; 0 = any that is free (port=).", show_default=False)
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Open a page on which label maps are painted and become faces, served on this machine; Ctrl-C ends it.

    Nothing is written; pictures are kept by downloading them.
    """
    execute("studio", overrides, {"run": run, "port": port}, json=json, dry_run=dry_run)


@export.command("web", cls=Command)
def export_web(
    overrides: Overrides = None,
    run: Run = None,
    steps: Steps = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Write the studio's page with a run's networks into a folder: any static host serves it, and the browser samples.

    Running the same command again does nothing where the folder is whole.
    """
    execute(
        "export web", overrides, {"run": run, "sampler.steps": steps}, json=json, dry_run=dry_run, multirun=multirun
    )


@app.command("synthesize", cls=Command)
def synthesize(
    overrides: Overrides = None,
    attr: Annotated[
        str | None,
        typer.Option(
            help="Attributes that every face has, for example +Smiling,-Male (attr=).",
            autocompletion=completed_by("value", "attr"),
            show_default=False,
        ),
    ] = None,
    run: Run = None,
    eta: Eta = None,
    steps: Steps = None,
    seed: Seed = None,
    count: Annotated[int | None, typer.Option("--count", "-n", help="Faces (count=).", show_default=False)] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
    multirun: Multirun = False,
) -> None:
    """Make labelled faces in quantity: each is read by judges, and put aside with
    the reason where it does not show what was told.

    They become a pack, an image folder with metadata, COCO files and Croissant metadata. Running the same command again does only
    what is missing.
    """
    flags = {
        "attr": attr, "run": run, "sampler.eta": eta, "sampler.steps": steps, "seed": seed, "count": count,
    }  # fmt: skip
    execute("synthesize", overrides, flags, json=json, dry_run=dry_run, multirun=multirun)


@app.command("report", cls=Command)
def report(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RUN]... [OVERRIDES]...",
            help="Runs, as folders or names; then overrides. The latest finished runs when none is named.",
            autocompletion=completed_by("runs_and_overrides"),
            show_default=False,
        ),
    ] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Write one page about runs, side by side: settings, curves, pictures, figures and records."""
    named, overrides = told_apart(words)
    execute("report", overrides, {"runs": listed(named)}, json=json, dry_run=dry_run)


@app.command("demo", cls=Command)
def demo(
    overrides: Overrides = None,
    minutes: Annotated[float | None, typer.Option(help="Time to plan for (minutes=).", show_default=False)] = None,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Run every command on drawn faces, from data to measured samples, and write one page about it."""
    execute("demo", overrides, {"minutes": minutes}, json=json, dry_run=dry_run)


@app.command("reproduce", cls=Command)
def reproduce(
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TABLE|FIGURE|STUDY... [OVERRIDES]...",
            help="table1 to 5, figure2 to 12, edits, exchanges, synthetic, memorisation, one after another; then overrides.",
            autocompletion=completed_by("paper_and_overrides"),
            show_default=False,
        ),
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Print what would be trained and sampled, and how long that takes here.")
    ] = False,
    json: AsJson = False,
    dry_run: DryRun = False,
) -> None:
    """Make tables and figures of the paper, and studies: train what is missing, sample, measure, and test what is claimed."""
    named, overrides = told_apart(words)
    from facecond.config.catalogue import options_of

    group = {name: group for group in ("paper", "study") for name in options_of(group)}
    for name in named:
        if name not in group:
            raise ConfigError(f"{name!r} is no table, figure or study", hint=nearest(name, group))
    papers = [f"{group[name]}={name}" for name in dict.fromkeys(named)]
    execute("reproduce", overrides, {"plan": plan or None}, json=json, dry_run=dry_run, each=papers)


@config.command("list", cls=Command)
def config_list(json: AsJson = False) -> None:
    """List the commands, the config groups and their options."""
    from facecond.cli.configs import print_list

    print_list(as_json=json)


@config.command("show", cls=Command)
def config_show(
    command: Annotated[
        str, typer.Argument(help="Command, for example train.", autocompletion=completed_by("commands"))
    ],
    overrides: Overrides = None,
    json: AsJson = False,
) -> None:
    """Print the configuration of a command as YAML, with every default and what it means.

    What follows from a pack or a run (size, sampler, guidance) is shown by: facecond COMMAND --dry-run.
    """
    from facecond.cli.configs import print_config

    print_config(command, overrides or [], as_json=json)
