"""`facecond`: runs the command line, and turns what went wrong into one line and an exit status."""

import os
import re
import sys

import typer

from facecond.cli.app import app
from facecond.cli.show import print_error
from facecond.errors import ConfigError, FacecondError
from facecond.memory import is_out_of_memory
from facecond.processes import OtherProcessError
from facecond.stopping import Stopped


def main() -> None:
    """Run the command line; a user's mistake is one line on standard error and exit status 2."""
    try:
        status = app(standalone_mode=False)
    except FacecondError as error:
        if os.environ.get("FACECOND_DEBUG"):
            raise
        if not isinstance(error, OtherProcessError):
            print_error(error)
        status = error.exit_status
    except typer.TyperException as error:
        status = _usage(error)
    except OSError as error:
        if os.environ.get("FACECOND_DEBUG"):
            raise
        what = f"{error.filename}: {error.strerror or error}" if error.filename else f"{error.strerror or error}"
        print_error(FacecondError(what, hint="FACECOND_DEBUG=1 shows where"))
        status = 2
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error) or os.environ.get("FACECOND_DEBUG"):
            raise
        print_error(
            FacecondError(
                "memory is not enough",
                hint="train with a smaller trainer.micro_batch, sample with a smaller batch_size, or ask for fewer",
            )
        )
        status = 2
    except (KeyboardInterrupt, typer.Abort, Stopped) as error:
        print_error(
            FacecondError(f"stopped{' by ' + str(error) if str(error) else ''}", hint="the same command continues")
        )
        status = getattr(error, "status", 130)
    sys.exit(status or 0)


def _usage(error: typer.TyperException) -> int:
    """A wrong flag or command, in one line with the nearest valid name."""
    message = re.sub(r" \(Possible options: .*\)", "", error.format_message()).rstrip(".")
    if found := re.fullmatch(r"Invalid value for '(.*)': Input should be a valid (integer|number).*", message):
        names = found[1].replace("'", "")  # a flag with a short form is quoted in two
        message = f"{names} takes {'a whole number' if found[2] == 'integer' else 'a number'}"
    if not message:  # no command: the help has been printed
        return 2
    near = getattr(error, "possibilities", None)
    where = getattr(getattr(error, "ctx", None), "command_path", "facecond") or "facecond"
    hint = f"did you mean {' or '.join(near)}?" if near else f"see: {where} --help"
    print_error(ConfigError(message, hint=None if "mean" in message else hint))
    return 2


if __name__ == "__main__":
    main()
