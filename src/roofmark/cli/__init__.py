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
from roofmark.terminal_text import plain, quiet_json

HOLDS, FAILS, USAGE, UNDECIDED, DAMAGED, DEFECT, INTERRUPTED = 0, 1, 2, 3, 4, 70, 130
# These say that evidence cannot be believed, the next that it is not what was claimed; every other
# RM4xx says that a file or a folder is in the way.
_DAMAGE = ("RM401", "RM402", "RM403", "RM404", "RM405", "RM440", "RM443", "RM444")
_DENIED = ("RM441", "RM442", "RM446", "RM447")


class Ended(Exception):
    """Ctrl-C, or a reader that left, carried past typer, which would turn either into a number.

    advice: what was kept, and how to go on.
    """

    def __init__(self, cause: BaseException, advice: str = "") -> None:
        """Keep what ended the command."""
        super().__init__(advice)
        self.cause = cause
        self.advice = advice


def main(arguments: list[str] | None = None) -> int:
    """Run one command and return its exit code (as the console script, exit with it)."""
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        code = _dispatch(arguments, as_json=as_json)
        sys.stdout.flush()
        return code
    except RoofmarkError as error:
        _tell(error, as_json=as_json)
        return _exit_code(error)
    except Ended as ended:
        return _leave() if isinstance(ended.cause, BrokenPipeError) else _interrupted(ended.advice)
    except KeyboardInterrupt:
        return _interrupted("")
    except BrokenPipeError:
        return _leave()
    except Exception:
        say("This is a defect of roofmark; please report it with the lines below.")
        say(traceback.format_exc())
        return DEFECT


def _dispatch(arguments: list[str], *, as_json: bool) -> int:
    import typer

    from roofmark.cli.app import app

    # The root of typer's own errors; newer versions carry click inside and do not export it.
    usage: type[Exception] = typer.BadParameter.__mro__[2]
    try:
        result: object = app(arguments, prog_name="roofmark", standalone_mode=False)
    except usage as error:
        if as_json:
            _print_errors([{"code": "usage", "fact": str(error)}])
        else:
            error.show()  # pyright: ignore
        return USAGE
    return result if isinstance(result, int) else HOLDS


def _tell(error: RoofmarkError, *, as_json: bool) -> None:
    if as_json:
        fields = ("code", "fact", "where", "meaning", "mend")
        _print_errors([{name: getattr(each, name) for name in fields} for each in error.problems])
    else:
        say(str(error))


def _print_errors(problems: list[dict[str, str]]) -> None:
    """Print errors as JSON on stderr: stdout holds data or nothing."""
    print(quiet_json(json.dumps({"errors": problems}, indent=1)), file=sys.stderr)


def _exit_code(error: RoofmarkError) -> int:
    if isinstance(error, IntegrityError):
        return DAMAGED
    if isinstance(error, BundleError):
        return DAMAGED if error.code in _DAMAGE else FAILS if error.code in _DENIED else USAGE
    return UNDECIDED if isinstance(error, BenchError) else USAGE


def _interrupted(advice: str) -> int:
    say(f"\nInterrupted. {advice or 'Nothing was written.'}")
    return INTERRUPTED


def _leave() -> int:
    """Close stdout quietly: its reader left (`| head`), and that is no error of ours."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return HOLDS


def say(text: str) -> None:
    """Tell people something; it is no data."""
    print(plain(text), file=sys.stderr)


def console() -> None:
    """Be the console script (not `run`: that is the module of a command)."""
    sys.exit(main())
