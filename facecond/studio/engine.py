"""What samples for pages: one piece of work at a time, in a thread of its own, and the newest request of a page ends those before.

A sampling is stopped between two of its steps, so that nothing of it is left behind a stroke that came later. Work of several
pages waits in a queue of bounded length.
"""

from __future__ import annotations

import base64
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facecond.assembly.photographs import PhotoClassifier, PhotoParser, read_photograph
from facecond.assembly.session import Pictures, Session
from facecond.conditions.attributes import Attributes
from facecond.conditions.mask import Mask
from facecond.conditions.sketch import Sketch, drawing_of
from facecond.config.commands.photographs import Align
from facecond.errors import DataError, FacecondError
from facecond.faces.attributes import format_attributes
from facecond.faces.names import ATTRIBUTES
from facecond.io.images import image_of, picture_of, png_of
from facecond.sampling.generation import Step
from facecond.studio.requests import MOST_RUNS, Wanted, runs_of

log = logging.getLogger("facecond")

RECORD = ("facecond-studio", 1)
"""Format and version of a picture's record."""

MOST_WAITING = 8
"""Pieces of work that wait; more are refused."""

PREVIEW_EVERY = 0.2
"""Seconds between two previews, at least; the first comes with the first step."""

PREVIEW_SHARE = 8
"""Times as long as the last preview took to make, before the next one: on a slow machine few are made."""

MOST_PHOTO_PIXELS = 50_000_000
"""Pixels of a photograph, or of the file of a sketch."""

MOST_SIDE = 2048
"""Pixels of its longer side when it is read."""

Event = dict[str, Any]
"""JSON values, one line of an answer."""

Send = Callable[[Event], None]


class BusyError(Exception):
    """The queue is full."""


class SupersededError(Exception):
    """Ends a sampling whose result nobody waits for."""


class Work:
    """A piece of work, waiting, under way or done."""

    def __init__(self, page: str | None, do: Callable[[Work], Event], send: Send) -> None:
        self.page, self._do, self._send = page, do, send
        self._cancelled = threading.Event()
        self._ended = False

    def cancel(self) -> None:
        """Let it end before its next step; its last event says so."""
        self._cancelled.set()

    def check(self) -> None:
        """Raise SupersededError when it was cancelled."""
        if self._cancelled.is_set():
            raise SupersededError

    def send(self, event: Event) -> None:
        """Hand on what there is so far."""
        self._send(event)

    def run(self) -> None:
        """Do it; the last event is `done`, `error` or `superseded`."""
        try:
            self.check()
            event = self._do(self)
        except SupersededError:
            event = {"kind": "superseded"}
        except FacecondError as error:
            event = {"kind": "error", "message": error.message, "hint": error.hint or ""}
        except Exception:
            log.exception("studio: a request failed")
            event = {"kind": "error", "message": "internal error; the terminal shows it", "hint": ""}
        self._send(event)


class Engine:
    """Samples with one session, or with two that are compared, parses photographs and reads sketches."""

    def __init__(
        self,
        sessions: Sequence[Session[Any]],
        parser: PhotoParser | None = None,
        classifier: PhotoClassifier | None = None,
    ) -> None:
        if not 1 <= len(sessions) <= MOST_RUNS:
            raise ValueError(f"{len(sessions)} sessions, expected 1 to {MOST_RUNS}")
        self.sessions = list(sessions)
        self.size = sessions[0].generator.resolution
        self._parser, self._classifier = parser, classifier
        self._changed = threading.Condition()
        self._waiting: deque[Work] = deque()
        self._current: Work | None = None
        self._closed = False
        self.steps = 0
        """Sampling steps taken so far."""
        self._thread = threading.Thread(target=self._work, name="studio", daemon=True)
        self._thread.start()

    @property
    def can_parse(self) -> bool:
        """Whether there is a parser of photographs."""
        return self._parser is not None

    def state(self) -> Event:
        """How much is under way and waiting, and how many steps were taken so far."""
        with self._changed:
            return {"running": int(self._current is not None), "waiting": len(self._waiting), "steps": self.steps}

    def sample(self, wanted: Wanted, send: Send) -> Work:
        """Have faces sampled; those that the same page asked of the same run before are ended. Raises BusyError, DataError."""
        asked = wanted.asked
        if asked["run"] >= len(self.sessions):
            raise DataError(f"run {asked['run']} is not there", hint=f"there are {len(self.sessions)}")
        return self._submit(
            Work(f"{asked['page']}/{asked['run']}", lambda work: self._sampled(wanted, work), send), newest=True
        )

    def parse(self, content: bytes, send: Send) -> Work:
        """Have a photograph parsed. Raises BusyError."""
        return self._submit(Work(None, lambda work: self._parsed(content, work), send))

    def read_sketch(self, content: bytes, send: Send) -> Work:
        """Have the file of a sketch read, as `facecond sample` reads it. Raises BusyError."""
        return self._submit(Work(None, lambda work: self._drawn(content), send))

    def warm(self) -> None:
        """Sample once, so that what is loaded at the first use is there."""
        for session in self.sessions:
            session.without_maps().sample(steps=1, watch=_look)

    def close(self) -> None:
        """End what is under way and waiting."""
        with self._changed:
            self._closed = True
            for work in [*self._waiting, *([self._current] if self._current else [])]:
                work.cancel()
            self._changed.notify_all()
        self._thread.join(timeout=10)

    def _submit(self, work: Work, newest: bool = False) -> Work:
        with self._changed:
            if self._closed:
                raise BusyError
            if newest:
                for other in [*self._waiting, *([self._current] if self._current else [])]:
                    if other.page == work.page:
                        other.cancel()
            ended = [other for other in self._waiting if newest and other.page == work.page]
            for other in ended:
                self._waiting.remove(other)
            full = len(self._waiting) >= MOST_WAITING
            if not full:
                self._waiting.append(work)
                self._changed.notify_all()
        for other in ended:
            other.run()  # it was cancelled, and only says so
        if full:
            raise BusyError
        return work

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closed:
                    self._changed.wait()
                if not self._waiting:
                    return
                self._current = self._waiting.popleft()
            try:
                self._current.run()
            finally:
                with self._changed:
                    self._current = None

    def _sampled(self, wanted: Wanted, work: Work) -> Event:
        asked, session = wanted.asked, self.sessions[wanted.asked["run"]]
        given = {
            Mask.name: wanted.labels_HW, Sketch.name: wanted.sketch_HW, Attributes.name: wanted.attributes_A
        }  # fmt: skip
        told: dict[str, Any] = {name: value for name, value in given.items() if name in session.names}
        began = time.monotonic()
        due = began

        def watch(step: Step) -> None:
            nonlocal due
            self.steps += 1
            work.check()
            event: Event = {"kind": "step", "what": step.what, "step": step.number + 1, "of": step.of}
            now = time.monotonic()
            last = step.number + 1 == step.of
            if step.what == "pictures" and not last and now >= due:
                event["pictures"] = [_base64(png_of(image, compression=1)) for image in step.look()]
                done = time.monotonic()
                due = done + max(PREVIEW_EVERY, PREVIEW_SHARE * (done - now))
            work.send(event)

        if not asked["draw"]:
            session = session.without_maps()
        made = session.sample(
            count=asked["count"], seed=asked["seed"], sampler=asked["sampler"], steps=asked["steps"], eta=asked["eta"],
            guidance={name: weight for name, weight in asked["guidance"].items() if name in session.names},
            watch=watch, **told,
        )  # fmt: skip
        pictures = [
            {"png": _base64(png_of(image)), "record": record}
            for image, record in zip(made.images, records_of(session, wanted, made), strict=True)
        ]
        return {"kind": "done", "seconds": time.monotonic() - began, "pictures": pictures}

    def _parsed(self, content: bytes, work: Work) -> Event:
        if self._parser is None:
            raise DataError("there is no parser of photographs", hint="train one: facecond train model=parser")
        image_HWC = image_of(content, origin="the photograph", most_pixels=MOST_PHOTO_PIXELS)
        work.check()
        image_HWC = _smaller(image_HWC)
        found = read_photograph(image_HWC, self._parser, self._classifier, self.size, Align.auto)
        if found is None:  # a drawn face, or one that fills the picture: as it is framed
            raise DataError("no face was found in the photograph", hint="take one in which the face is larger")
        face, present = found
        signs = None if present is None else [1 if name in present else -1 for name in ATTRIBUTES]
        notes = [problem.name.replace("_", " ") for problem in face.findings]
        return {
            "kind": "done",
            "map": runs_of(face.labels_HW),
            "signs": signs,
            "picture": _base64(png_of(face.image_HWC)),
            "notes": notes,
        }

    def _drawn(self, content: bytes) -> Event:
        origin = "the sketch"
        value_HW = drawing_of(picture_of(content, origin=origin, most_pixels=MOST_PHOTO_PIXELS), origin, self.size)
        return {"kind": "done", Sketch.name: runs_of(value_HW)}


def records_of(session: Session[Any], wanted: Wanted, made: Pictures) -> list[Event]:
    """Return what is kept with each picture (JSON values): what was asked for, and what `Session.sample` says of it."""
    asked = wanted.asked
    again = {key: value for key, value in asked.items() if key not in ("page", "run")}
    again[Attributes.name] = "" if wanted.attributes_A is None else format_attributes(wanted.attributes_A)
    for key, values_HW in (("map", wanted.labels_HW), (Sketch.name, wanted.sketch_HW)):
        again[key] = None if values_HW is None else runs_of(values_HW)
    records = []
    for record in made.records:
        told = {}
        for name, value in record["told"].items():
            array = np.asarray(value["value"])
            said = format_attributes(array) if name == Attributes.name else runs_of(array)
            told[name] = {**value, "value": said}
        records.append({
            "format": RECORD[0], "version": RECORD[1], "run": session.run.path.name, "size": session.generator.resolution,
            "asked": {**again, "index": record["index"]}, **record, "told": told,
        })  # fmt: skip
    return records


def _look(step: Step) -> None:
    step.look()


def _smaller(image_HWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A photograph whose longer side is at most MOST_SIDE: a face is read at a few hundred pixels, and detection takes time."""
    height, width = image_HWC.shape[:2]
    if max(height, width) <= MOST_SIDE:
        return image_HWC
    share = MOST_SIDE / max(height, width)
    size = max(1, round(width * share)), max(1, round(height * share))
    return np.array(Image.fromarray(image_HWC).resize(size, Image.Resampling.LANCZOS))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")
