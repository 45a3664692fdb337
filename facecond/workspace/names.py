"""The one rule for names that become folders of a workspace: runs, packs, releases, generations, demos."""

from facecond.errors import ConfigError

LONGEST = 100
"""Bytes of a name in UTF-8; what commands put behind it still fits into a file system's 255."""


def check_name(name: str) -> None:
    """Raise ConfigError unless `name` can be one folder: printable, neither blank nor hidden nor like an option, no path."""
    faults = {
        "is blank": not name.strip(),
        "begins or ends with a blank": name != name.strip(),
        "holds a path": any(separator in name for separator in "/\\:"),
        "begins with a dot or a dash": name.startswith((".", "-")),
        "holds characters that cannot be printed": not name.isprintable(),
        f"is longer than {LONGEST} bytes": len(name.encode(errors="replace")) > LONGEST,
    }
    for fault, found in faults.items():
        if found:
            raise ConfigError(
                f"name={name!r} {fault}", hint="a name is one folder of the workspace, for example name=my-first_2"
            )
