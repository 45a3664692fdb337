"""What the files of a workspace say of a run: its own, and the samples, swaps and results that were made of its weights.

What is missing, damaged or of another version becomes a sentence. Nothing is written.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecond.conditions.table import pictures_of
from facecond.data.pack import Pack
from facecond.errors import DataError, FacecondError
from facecond.io.images import read_image
from facecond.io.results import Figure, read_results
from facecond.io.runs import WEIGHTS, read_done, read_lines
from facecond.io.sizes import count_values
from facecond.quantities import grouped
from facecond.reports.layouts import Shown, samples_figure
from facecond.reports.made import made_text
from facecond.reports.page import Picture, duration
from facecond.reports.runs import CURVES, MEASURED, RUNS, SAMPLES, TRAINING, Measured, RunShown, Sampled
from facecond.sampling.folder import RecordIndex, read_manifest, read_values
from facecond.workspace.belonging import generations, made_of, results
from facecond.workspace.find import RunInfo, pack_with, read_run
from facecond.workspace.origin import own_pack

ROWS = 8
"""Conditions shown of samples that have no grid of their own."""


class Remarks:
    """Sentences about what is missing, by the section it is missing in."""

    def __init__(self) -> None:
        self.sentences: dict[str, list[str]] = {}

    def add(self, section: str, sentence: str) -> None:
        """Add one sentence, once."""
        said = self.sentences.setdefault(section, [])
        if sentence not in said:
            said.append(sentence)

    @contextmanager
    def instead(self, section: str) -> Iterator[None]:
        """Turn an error of this program inside the block into a sentence."""
        try:
            yield
        except FacecondError as error:
            self.add(section, f"{error.message}.")


def gather_run(workspace: str, path: Path, name: str, *, samples: int, records: int) -> RunShown:
    """Return the run in folder `path` as a page shows it under `name`.

    `samples` is the greatest number of generations shown, the latest; `records` of how many pictures of each the records are.
    Raises CheckpointError when run.json is missing, damaged or of another version.
    """

    run, remarks = read_run(path), Remarks()
    done, lines = _done(path, remarks), _lines(path, remarks)
    digest = done.get("weights_sha256")
    sampled: list[Sampled] = []
    measured: list[Measured] = []
    if digest is None:
        remarks.add(SAMPLES, "nothing can be sampled from a run that is not finished.")
    else:
        sampled = _sampled(workspace, digest, remarks, samples, records)
        measured = _measured(workspace, digest, name, remarks)
        if run.kind == "diffusion" and not sampled:
            remarks.add(SAMPLES, "nothing was sampled from its weights.")
        if run.kind == "diffusion" and not measured:
            remarks.add(MEASURED, "nothing was measured of its weights.")
    return RunShown(
        name=name, kind=run.kind, facts=_facts(workspace, run, done, lines, remarks), settings=run.config, lines=lines,
        grids=_grids(path, name, remarks), sampled=sampled, measured=measured, missing=remarks.sentences,
    )  # fmt: skip


def differences(workspace: str, digests: Sequence[str]) -> list[Figure]:
    """Figures of `facecond compare` of which both runs have weights with one of these SHA-256; unreadable files hold none."""
    found: list[Figure] = []
    for about, file in results(workspace):
        made = about.get("compared")
        if isinstance(made, list) and len(made) == 2 and all(digest in digests for digest in made):
            found += _readable(file)
    return found


def beside_conditions(folder: Path, pack: Pack | None, count: int) -> NDArray[np.uint8]:
    """The first `count` pictures of a generation beside their conditions, and beside the real ones where `pack` has them.

    Returns uint8 (H, W, 3). Raises DataError when a file of it is missing or damaged.
    """

    known = RecordIndex(folder)
    shown = []
    for index in sorted(known)[:count]:
        record = known[index]
        source = record["source"]
        shown.append(
            Shown(
                name=source or "",
                image=None if pack is None or source is None else pack.images[pack.index_of(source)],
                given=pictures_of(read_values(folder, record)),
                samples=[read_image(folder / "images" / f"{index:06d}.png")],
            )
        )
    if not shown:
        raise DataError(f"{folder} holds no picture yet")
    return samples_figure(shown)


def _done(path: Path, remarks: Remarks) -> dict[str, Any]:
    """Content of done.json; nothing when the run is not finished or the file is damaged."""
    if not (path / "done.json").is_file():
        return {}
    with remarks.instead(RUNS):
        return dict(read_done(path))
    return {}


def _lines(path: Path, remarks: Remarks) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []
    with remarks.instead(CURVES):
        lines = [dict(line) for line in read_lines(path)]
        if not lines:
            remarks.add(CURVES, "no figures were logged yet.")
    return lines


def _facts(
    workspace: str, run: RunInfo, done: Mapping[str, Any], lines: Sequence[Mapping[str, Any]], remarks: Remarks
) -> dict[str, str]:
    """What a run is and what it took, as it is recorded."""

    asked = run.config["trainer"]["images"]
    last: Mapping[str, Any] = done or (lines[-1] if lines else {})
    seen, seconds = last.get("images_seen", 0), _latest(lines, "seconds") if not done else done.get("seconds")
    if not done:
        remarks.add(RUNS, f"not finished: {seen} of {asked} images; its training command continues it.")
    pack = own_pack(run, workspace)
    choices = [f"{group}={option}" for group, option in run.choices.items() if group != "model"]
    versions, code = run.content.get("versions", {}), run.content.get("code", {})
    facts = {
        "model": run.choices.get("model", run.kind),
        "chosen": ", ".join(choices),
        "pack": pack.path.name if pack else f"{run.content['pack_path']} (not here any more)",
        "resolution": f"{run.content['resolution']} px" if "resolution" in run.content else "",
        "images seen": grouped(seen) + ("" if done else " so far"),
        "wall time": duration(seconds) if seconds is not None else "",
        "finished": str(done.get("finished", ""))[:16].replace("T", " ") + (" UTC" if done.get("finished") else ""),
        "values in the weights": _size(run.path, remarks) if done else "",
        "weights": str(done.get("weights_sha256", ""))[:12],
        "device": f"{run.config['device']} (CUDA device: {versions.get('cuda', 'not recorded')})",
        "machine": versions.get("machine", ""),
        "precision": run.config["trainer"]["precision"],
        "torch": versions.get("torch", ""),
        "python": versions.get("python", ""),
        "facecond": f"{code.get('facecond', '')} {(code.get('revision') or '')[:12]}".strip(),
    }
    return {name: text for name, text in facts.items() if text}


def _latest(lines: Sequence[Mapping[str, Any]], key: str) -> Any:
    return next((line[key] for line in reversed(lines) if key in line), None)


def _size(path: Path, remarks: Remarks) -> str:
    """How many numbers the weights hold, in all and of each module."""

    with remarks.instead(RUNS):
        counts = count_values(path / WEIGHTS)
        parts = ", ".join(f"{module} {_short(count)}" for module, count in counts.items())
        return _short(sum(counts.values())) + (f" ({parts})" if len(counts) > 1 else "")
    return ""


def _short(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e6 else f"{count / 1e3:.1f} k" if count >= 1e3 else str(count)


def _grids(path: Path, name: str, remarks: Remarks) -> list[Picture]:
    """The first and the last sample grid of a training."""

    files = sorted(file for file in (path / "grids").glob("*.png") if file.stem.isdigit())
    pictures = []
    for file in dict.fromkeys([*files[:1], *files[-1:]]):
        with remarks.instead(TRAINING):
            caption = f"{name} after {grouped(int(file.stem))} images."
            pictures.append(Picture(image=read_image(file), caption=caption))
    return pictures


def _sampled(workspace: str, digest: str, remarks: Remarks, most: int, records: int) -> list[Sampled]:
    """Generations of the weights `digest` in samples and swaps, the latest first."""
    found: dict[Path, list[Path]] = {}
    for each in generations(workspace):
        if each.weights == digest:
            found.setdefault(each.top, []).append(each.folder)
    folders = sorted(found, key=lambda top: (found[top][-1] / "generation.json").stat().st_mtime, reverse=True)
    if len(folders) > most:
        left = ", ".join(folder.name for folder in folders[most:])
        remarks.add(SAMPLES, f"the latest {most} of {len(folders)} folders are shown; the others: {left}.")
    shown = []
    for top in folders[:most]:
        with remarks.instead(SAMPLES):
            shown.append(_generation(workspace, top, found[top][-1], remarks, records))
    return shown


def _generation(workspace: str, top: Path, folder: Path, remarks: Remarks, most: int) -> Sampled:
    """One generation: the picture that was drawn of it (in `top`), or its first pictures beside their conditions."""

    manifest = read_manifest(folder)
    how = made_text({**manifest["made_with"], "noisy": manifest["about"].get("noisy")})
    known = RecordIndex(folder)
    count = len(known)
    if count < manifest["count"]:
        remarks.add(SAMPLES, f"{folder.name} holds {count} of {manifest['count']} pictures so far.")
    picture = None
    with remarks.instead(SAMPLES):
        drawn = next((top / name for name in ("grid.png", "swap.png") if (top / name).is_file()), None)
        if drawn is None:
            digest = manifest["about"].get("pack")
            place = pack_with(workspace, digest) if isinstance(digest, str) else None
            image = beside_conditions(folder, Pack.open(place) if place else None, ROWS)
        else:
            image = read_image(drawn)
        picture = Picture(image=image, caption=f"{top.name}: {count} pictures, {how}.")
    records = [known[index] for index in sorted(known)[:most]]
    return Sampled(name=top.name, how=how, picture=picture, records=records, count=count)


def _measured(workspace: str, digest: str, name: str, remarks: Remarks) -> list[Measured]:
    """Figures of results that were measured of the weights `digest`, each once."""

    found: list[Measured] = []
    for about, file in results(workspace):
        made, own = about.get("made_with"), made_of(about) == digest
        if own or (not about and file.parent.name.startswith(f"{name}-eval-")):
            with remarks.instead(MEASURED):
                figures = read_results(file).figures
                how = made_text({**_noisy(about), **made}) if isinstance(made, dict) else ""
                found += [one for figure in figures if (one := Measured(figure=figure, how=how)) not in found]
    return found


def _noisy(about: Mapping[str, Any]) -> dict[str, Any]:
    """What the configuration of results says of noisy conditions: those from before did not say it of the samples."""
    config = about.get("config")
    named = config.get("noisy") if isinstance(config, dict) else None
    return {"noisy": dict.fromkeys(map(str, named), "a judge")} if isinstance(named, list) else {}


def _readable(file: Path) -> list[Figure]:
    try:
        return list(read_results(file).figures)
    except DataError:
        return []
