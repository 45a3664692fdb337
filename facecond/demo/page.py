"""The demo's page: pictures, curves, figures with ceilings and floors, steps with their commands and durations."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecond import __version__
from facecond.demo.edits import Edits
from facecond.demo.plan import learnt_from
from facecond.io.documents import read_json
from facecond.io.results import read_results
from facecond.workspace.provenance import versions

if TYPE_CHECKING:
    from facecond.demo.command import Demo

HEADLINE = ("miou", "attribute_accuracy", "attribute_balanced_mask_free", "mask_accuracy", "psnr", "ssim")
"""Figures shown as tiles, in this order."""

COMMANDS = {
    "draw": "data draw", "shipped": "sample", "vq": "train", "encode": "encode", "parser": "train", "classifier": "train",
    "multicond": "train", "measure": "eval", "sets": "sample", "on-maps": "sample", "variations": "sample",
    "swap": "swap-masks",
}  # fmt: skip
"""Command behind each step of the demo."""


CURVES = {
    "vq": ("First stage", "l1", "L1"),
    "parser": ("Face parser", "loss", "cross-entropy"),
    "classifier": ("Attribute classifier", "loss", "cross-entropy"),
    "multicond": ("Diffusion model", "noise_error", "noise error"),
}
"""Curve of each model: its title, the figure, and what the axis calls it."""


def write_demo_page(
    folder: Path, demo: "Demo", results: Path, pictures: Mapping[str, str], edits: Mapping[str, str]
) -> dict[str, str]:
    """Write index.html into `folder`; return its path by name."""
    import numpy as np

    from facecond.data.pack import Pack
    from facecond.io.images import read_image
    from facecond.reports.layouts import contact_sheet
    from facecond.reports.page import Charts, Page, Picture, Section, write_page
    from facecond.reports.runs import by_kind, curve, overview
    from facecond.reports.sections import Step, all_figures, in_numbers, steps_taken, versions_used
    from facecond.workspace.gather import beside_conditions, gather_run

    pack = Pack.open(demo.pack)
    trained = {model: about for model, about in CURVES.items() if model in demo.plan.images}
    runs = {model: gather_run(demo.config.workspace, demo.run(model), model, samples=0, records=0) for model in trained}
    measured = read_results(results)
    figures = sorted(measured.figures, key=lambda f: HEADLINE.index(f.name) if f.name in HEADLINE else len(HEADLINE))
    samples = beside_conditions(Path(demo.steps["measure"]["made"]["samples"]), pack, 12)
    faces = contact_sheet(
        [np.asarray(pack.images[i]) for i in range(24)], [np.asarray(pack.labels[i]) for i in range(24)], cell=96
    )
    changes = read_json(Path(edits["changes"]), Edits)["rows"]
    inside, outside = (float(np.mean([row[key] for row in changes])) for key in ("inside", "outside"))
    charts = [curve([runs[model]], key, title=title, label=label) for model, (title, key, label) in trained.items()]
    sections = [
        Section(title="Samples beside their conditions", text=(
            "Each row is a face the model never saw: the drawn picture, its label map, and a sample that was given the map and "
            "the forty attributes, nothing else."
        ), blocks=[Picture(image=samples, caption="The first twelve of the conditions measured below.")]),
        Section(title="Other attributes, same noise", text=(
            "No map is given here, only attributes. All pictures of a row start from the same noise."
            + (" Each has a map drawn for it, by the generator of maps that came with the program." if
               "maps" in demo.plan.came_along else "")
        ), blocks=[Picture(image=read_image(Path(pictures["sets"])), caption="One attribute set per column.")]),
        Section(title="Other attributes on a map", text=(
            "Map, attributes and noise of a row are one person's; each column names attributes that differ. Where the map "
            "contradicts them (glasses, hat, mouth), that part comes from the most similar face that has it."
        ), blocks=[Picture(image=read_image(Path(pictures["on maps"])), caption="One attribute set per column.")]),
        Section(title="Parts exchanged between people", blocks=[
            Picture(image=read_image(Path(pictures["swap"])), caption="Nothing was aligned before the exchange.")]),
        Section(title="Maps edited by hand", text=(
            f"Inside the edited region (and three pixels around it) pixels change by {inside:.1f} grey levels on average, "
            f"outside by {outside:.1f}."
        ), blocks=[Picture(image=read_image(Path(pictures["edits"])), caption="Same noise.")]),
        Section(title="Several samples of one condition", blocks=[
            Picture(image=read_image(Path(pictures["variations"])), caption="Stochastic sampling (eta 1).")]),
        Section(title="What the models learnt from", text=(
            f"{len(pack)} faces drawn by program, {pack.resolution} px, each seen mirrored or not, with another noise each time. "
            f"The diffusion model learnt from {learnt_from(demo.plan)}."
        ), blocks=[Picture(image=faces, caption="Drawn faces and their label maps.")]),
        Section(title="Curves", blocks=[Charts(charts=[chart for chart in charts if chart.series])]),
    ]  # fmt: skip
    steps = [
        Step(name=entry["title"], seconds=entry["seconds"], result=_command(key, entry))
        for key, entry in demo.steps.items()
    ]
    who = (
        "all trained here"
        if len(trained) == len(CURVES)
        else "the last trained here, the others come with the program,"
    )
    page = Page(
        title="facecond demo",
        lead=(
            "Faces drawn by program, a first stage, two judges and a diffusion model conditioned on attributes and label maps, "
            f"{who} in {demo.seconds / 60:.1f} minutes; then sampled, measured, swapped and edited."
        ),
        sections=[
            in_numbers(figures[: len(HEADLINE)]),
            *sections,
            overview(by_kind(list(runs.values()))),
            all_figures(figures),
            steps_taken(steps),
            versions_used({"facecond": __version__, **versions()}),
        ],
        command=f"facecond demo minutes={demo.plan.minutes:g}",
    )
    write_page(folder / "index.html", page)
    return {"page": str(folder / "index.html")}


def _command(key: str, entry: Mapping[str, Any]) -> str:
    words = [word for word in entry["words"] if not word.startswith(("workspace=outputs", "device=auto"))]
    return f"facecond {COMMANDS[key]} {shlex.join(words)}" if key in COMMANDS else ""
