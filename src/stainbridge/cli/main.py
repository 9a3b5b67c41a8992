"""The entry of the command: it runs the verbs, and errors become exit codes."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from stainbridge.cli.failures import check_names, check_working_folder, explain_failure
from stainbridge.cli.output import say
from stainbridge.cli.quick_start import prepare_environment, settle, start_quickly
from stainbridge.cli.streams import flush_output, lead_nowhere, prepare_streams, silence_libraries
from stainbridge.errors import StainbridgeError
from stainbridge.processes import ENDING_SIGNALS

if TYPE_CHECKING:
    import typer

#: Verbs that draw no random tensors; the others need all of torch.
DRAWING_NOTHING = (["register"], ["warp"], ["translate"], ["demo"], ["cohort"], ["pairs"])
#: Verbs whose work is spread over threads as a whole; their products of matrices are small.
SPREADING = (["register"], ["warp"])
#: Verbs that settle by themselves, once they have loaded more.
SETTLING = (["register"],)
OK = 0
OUR_BUG = 1
INTERRUPTED = 130


class Interruption:
    """Whether the user has ended the run; libraries turn `KeyboardInterrupt` into other errors."""

    def __init__(self) -> None:
        self.has_come = False

    def listen(self) -> None:
        """End the run at Ctrl-C, a scheduler's signal, and that of a closed terminal.

        What a shell has the process ignore stays ignored.
        """
        for number in ENDING_SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._raise)

    def _raise(self, _number: int, _frame: FrameType | None) -> None:
        self.has_come = True
        raise KeyboardInterrupt


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    prepare_environment()
    if sys.argv[1:2] in SPREADING:  # the threads of numpy's BLAS spin too
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    start_quickly(defer=sys.argv[1:2] in DRAWING_NOTHING)
    prepare_streams()
    silence_libraries()
    interruption = Interruption()
    interruption.listen()
    sys.exit(run(sys.argv[1:], interruption))


def run(arguments: list[str], interruption: Interruption | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on standard error."""
    try:
        check_working_folder()
        check_names(arguments)
        app = load_app(arguments)
        if arguments[:1] not in SETTLING:
            settle()
        # A command returns its exit code or nothing; an interruption returns 130.
        code = app(arguments, prog_name="stainbridge", standalone_mode=False) or OK
        flush_output()
    except KeyboardInterrupt:
        code = INTERRUPTED
    except StainbridgeError as error:
        say(f"error: {error}")
        return error.exit_code
    except SystemExit as leaving:  # typer's answer where nobody reads the output any more
        if not isinstance(leaving.__context__, BrokenPipeError):
            raise
        lead_nowhere(sys.stdout)
        code = _report(BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE), "standard output"))
    except Exception as error:
        interrupted = interruption is not None and interruption.has_come
        code = INTERRUPTED if interrupted else _report(error)
    if code == INTERRUPTED:
        say("interrupted; nothing half-written was left")
    return int(code)


def load_app(arguments: list[str]) -> typer.Typer:
    """Return the command with the verb that is asked for; its libraries take a moment to load."""
    from stainbridge.cli.app import make_app

    return make_app(arguments)


def _report(error: Exception) -> int:
    """Report any other error in one line and return its exit code."""
    import typer

    if isinstance(error, typer.TyperException):
        return _report_usage(error)
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    failure = explain_failure(error)
    if failure is not None:
        say(f"error: {failure}")
        return failure.exit_code
    say(f"error: unexpected {type(error).__name__}; please report it with {_keep_traceback(error)}")
    return OUR_BUG


def _report_usage(error: Any) -> int:
    """Report a wrong command line in one line; without a verb, print the help.

    The help is the message of the error then.
    """
    message = error.format_message().replace("Value error, ", "")
    if message.startswith("Usage:"):
        say(message)
    else:
        context = getattr(error, "ctx", None)
        command = " ".join(context.command_path.split()) if context else "stainbridge"
        say(f"error: {' '.join(message.split()).rstrip('.')}; see: {command} --help")
    return int(error.exit_code)


def _keep_traceback(error: Exception) -> str:
    """Save the traceback and say where, or in which line where nothing can be written."""
    try:
        with tempfile.NamedTemporaryFile(
            "w",
            prefix="stainbridge-",
            suffix=".traceback.txt",
            delete=False,
            encoding="utf-8",
            errors="backslashreplace",
        ) as file:
            file.write(f"{' '.join(sys.argv)}\n{traceback.format_exc()}")
    except OSError:  # no folder for temporary files: the line is all that can be said
        last = traceback.extract_tb(error.__traceback__)[-1]
        return f"this place: {Path(last.filename).name} line {last.lineno}: {error}"
    return f"the traceback in {file.name}"
