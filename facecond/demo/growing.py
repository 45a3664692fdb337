"""The demo's page while the demo is under way: the steps, the drawn faces, curves and sample grids so far.

A thread reads what the steps have left on the disk and writes the page anew; the steps know nothing of it. The browser asks for
the page again by itself.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from facecond.errors import FacecondError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from facecond.demo.command import Demo
    from facecond.reports.page import Page, Section

log = logging.getLogger("facecond")

SECONDS = 15.0
"""Between two versions of the page."""

FACES = 24
"""Drawn faces that are shown."""


class Growing:
    """Inside the block index.html in `folder` shows how far the demo is; an error in the block stays on the page as "stopped".

    A page that cannot be written stops nothing.
    """

    def __init__(self, demo: Demo, folder: Path, seconds: float = SECONDS) -> None:
        self._demo, self._folder, self._seconds = demo, folder, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="page", daemon=True)
        self._faces: NDArray[np.uint8] | None = None

    def __enter__(self) -> Growing:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        if kind is not None:
            self._write(stopped=True)

    def _run(self) -> None:
        while True:
            self._write(stopped=False)
            if self._over.wait(self._seconds):
                return

    def _write(self, *, stopped: bool) -> None:
        from facecond.reports.page import write_page

        try:
            write_page(self._folder / "index.html", self.page(stopped=stopped))
        except (FacecondError, OSError) as error:
            log.debug("the page of the demo was not written: %s", error)

    def page(self, *, stopped: bool = False) -> Page:
        """The page as it is now."""
        from facecond.demo.page import CURVES
        from facecond.reports.page import Charts, Page, Section, duration
        from facecond.reports.runs import curve, training_pictures
        from facecond.workspace.gather import gather_run

        demo = self._demo
        runs = {
            model: gather_run(demo.config.workspace, demo.run(model), model, samples=0, records=0)
            for model in reversed(CURVES)
            if model in demo.plan.images and (demo.run(model) / "run.json").is_file()
        }
        charts = [
            curve([run], CURVES[model][1], title=CURVES[model][0], label=CURVES[model][2])
            for model, run in runs.items()
        ]
        charts = [chart for chart in charts if chart.series]
        sections = [self._steps()]
        if any(run.grids for run in runs.values()):
            sections.append(training_pictures([run for run in runs.values() if run.grids]))
        sections += self._shipped()
        if charts:
            sections.append(Section(title="Curves", blocks=[Charts(charts=charts)]))
        sections += self._drawn()
        spent = duration(sum(demo.spent().values()))
        if stopped:
            lead = f"Stopped after {spent}. The same command continues."
        else:
            left = duration(demo.left())
            lead = f"Under way for {spent}, about {left} left. This page shows itself again every {self._seconds:g} seconds."
        return Page(
            title="facecond demo",
            lead=lead,
            sections=sections,
            command=f"facecond demo minutes={demo.plan.minutes:g}",
            refresh=None if stopped else self._seconds,
        )

    def _steps(self) -> Section:
        from facecond.reports.page import Section, Table, duration

        demo, rows = self._demo, [["step", "time", ""]]
        for key, title in demo.plan.steps.items():
            entry, planned = demo.steps.get(key), demo.plan.of_step(key)
            if entry is not None and entry["done"]:
                rows.append([title, duration(entry["seconds"]), "done"])
            else:
                time_planned = f"about {duration(planned)}" if planned else ""
                rows.append([title, time_planned, "under way" if key == demo.now else ""])
        return Section(title="Steps", blocks=[Table(rows=rows)])

    def _shipped(self) -> list[Section]:
        """What the model that came with the program makes of the first conditions."""
        from facecond.io.images import read_image
        from facecond.reports.page import Picture, Section

        entry = self._demo.steps.get("shipped")
        if entry is None or not entry["done"]:
            return []
        picture = Picture(
            image=read_image(Path(entry["made"]["grid"])),
            caption="Faces that neither model learns from, with their maps.",
        )
        return [Section(title="Samples of the model that came with the program", blocks=[picture])]

    def _drawn(self) -> list[Section]:
        import numpy as np

        from facecond.data.pack import Pack
        from facecond.reports.layouts import contact_sheet
        from facecond.reports.page import Picture, Section

        if self._faces is None:
            entry = self._demo.steps.get("draw")
            if entry is None or not entry["done"]:
                return []
            try:
                pack = Pack.open(self._demo.pack)
            except FacecondError:  # the steps say what is wrong with it
                return []
            first = range(min(FACES, len(pack)))
            self._faces = contact_sheet(
                [np.asarray(pack.images[i]) for i in first], [np.asarray(pack.labels[i]) for i in first], cell=96
            )
        faces = Picture(image=self._faces, caption="Drawn faces and their label maps.")
        return [Section(title="What the models learn from", blocks=[faces])]
