"""`facecond verify`: reads every file of a workspace again, says which are not what was written, and mends what can be mended."""

import logging
import shlex
from collections.abc import Sequence
from pathlib import Path

from facecond.commands.prepared import Prepared
from facecond.commands.result import Result
from facecond.config.commands.workspace import VerifyConfig
from facecond.config.compose import compose
from facecond.errors import DataError, FacecondError

log = logging.getLogger("facecond")

SHOWN = 50
"""Findings in the table; `--json` has all."""


def prepare(words: Sequence[str]) -> Prepared[VerifyConfig, list[Path]]:
    """Check the configuration and that the places exist."""
    composed = compose("verify", words)
    config: VerifyConfig = composed.config
    places = [Path(place) for place in config.places] or [Path(config.workspace)]
    for place in places:
        if not place.exists():
            raise DataError(f"{place}: no such file or folder", hint="name a workspace, or something in it")
    return Prepared(composed=composed, name="verify", used={"places": ", ".join(map(str, places))}, found=places)


def run(prepared: Prepared[VerifyConfig, list[Path]]) -> Result:
    """Check, and with `repair` mend and check again; status 2 when something stays wrong."""
    from facecond.io.lock import hold
    from facecond.workspace.verify import verify

    prepared.announce()
    places = prepared.found
    report = verify(places)
    mended: list[list[str]] = []
    if prepared.config.repair:
        for finding in report.findings:
            if finding.mend is None:
                continue
            try:
                with hold(finding.folder):
                    finding.mend()
            except (FacecondError, OSError) as reason:
                log.warning("%s is not mended: %s", finding.path, reason)
            else:
                mended.append([str(finding.path), finding.what])
        if mended:
            report = verify(places)
    files = dict.fromkeys(str(finding.path) for finding in report.findings)
    facts = {
        "files read": len(report.files),
        "bytes read": report.bytes,
        "nothing vouches for": len(report.unchecked),
        "mended": len(mended),
        "damaged": len(files),
    }
    tables = {}
    if report.findings:
        rows = [[str(finding.path), finding.what, finding.todo] for finding in report.findings]
        tables["damaged"] = [["file", "what was found", "what helps"], *rows[:SHOWN]]
        if len(rows) > SHOWN:
            tables["damaged"].append([f"and {len(rows) - SHOWN} more", "", "see --json"])
        log.warning("%d of %d files are damaged, first %s", len(files), len(report.files), next(iter(files)))
    if mended:
        tables["mended"] = [["file", "what was found"], *mended]
    if not report.files:
        log.warning("%s: nothing there is of facecond's making", prepared.used["places"])
    can = []
    if not prepared.config.repair and any(finding.mend for finding in report.findings):
        named = map(shlex.quote, prepared.config.places)
        can = [prepared.suggest(" ".join(["verify", *named, "--repair"]))]
    return Result(
        command="verify", used=prepared.used, facts=facts, tables=tables, next=can, status=2 if report.findings else 0
    )
