"""Where the program begins: signals are answered before anything else is imported, which takes a while."""

import sys

from facecond import stopping


def main() -> None:
    """Run the command line."""
    try:
        stopping.install()
        from facecond.cli.main import main as command_line

        command_line()
    except (KeyboardInterrupt, stopping.Stopped) as error:  # while the command line was being imported
        print("facecond: stopped (the same command continues)", file=sys.stderr)  # noqa: T201 - nothing else is there yet
        sys.exit(getattr(error, "status", 130))
