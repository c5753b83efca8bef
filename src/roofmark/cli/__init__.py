"""The command line: arguments in, the API called, an exit code out.

Data goes to stdout, everything said to people goes to stderr. This is the only place that prints an
error or ends the process. Exit codes: 0 the claim holds, 1 it does not, 2 usage or study, 3
undecided, 4 evidence damaged, 70 a defect of roofmark, 130 interrupted.
"""

import json
import os
import sys
import traceback

from roofmark.errors import BenchError, BundleError, IntegrityError, RoofmarkError
from roofmark.terminal_text import plain

HOLDS, FAILS, USAGE, UNDECIDED, DAMAGED, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (as the console script, exit with it)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        return _dispatch(arguments)
    except RoofmarkError as error:
        _tell(error, as_json=as_json)
        return _exit_code(error)
    except KeyboardInterrupt:
        _say("\nInterrupted. Finished traces are kept; go on with: roofmark run --resume FOLDER")
        return INTERRUPTED
    except BrokenPipeError:
        # The reader left (`| head`); stdout is closed quietly so that Python does not complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return HOLDS
    except Exception:
        _say("This is a defect of roofmark; please report it with the lines below.")
        _say(traceback.format_exc())
        return DEFECT


def _dispatch(arguments: list[str]) -> int:
    import click
    from typer.main import get_command

    from roofmark.cli.app import app

    command = get_command(app)
    try:
        result = command.main(arguments, prog_name="roofmark", standalone_mode=False)
    except click.exceptions.Abort:
        raise KeyboardInterrupt from None
    except click.ClickException as error:
        error.show()
        return USAGE
    return result if isinstance(result, int) else HOLDS


def _tell(error: RoofmarkError, *, as_json: bool) -> None:
    if as_json:
        fields = ("code", "fact", "where", "meaning", "mend")
        problems = [{name: getattr(each, name) for name in fields} for each in error.problems]
        _say(json.dumps({"errors": problems}, indent=1))
    else:
        _say(plain(str(error)))


def _exit_code(error: RoofmarkError) -> int:
    if isinstance(error, IntegrityError):
        return DAMAGED
    if isinstance(error, BundleError):
        return DAMAGED if error.code in ("RM401", "RM402", "RM403", "RM404", "RM405") else USAGE
    return UNDECIDED if isinstance(error, BenchError) else USAGE


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def console() -> None:
    """Be the console script."""
    sys.exit(main())
