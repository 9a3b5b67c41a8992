"""Standard streams that can be written to, wherever they lead."""

from __future__ import annotations

import codecs
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TextIO

#: How signs are written in encodings that lack them.
PLAIN = {
    "µ": "u",
    "×": "x",
    "÷": "/",
    "°": " deg",
    "…": "...",
    "–": "-",
    "−": "-",
    "→": "->",
    "≤": "<=",
    "≥": ">=",
    "±": "+-",
    "²": "^2",
    "’": "'",
    "“": '"',
    "”": '"',
}
#: Name of the error handler that writes them so.
PLAIN_WORDS = "stainbridge-plain"


def prepare_streams() -> None:
    """Make the standard streams writable for every message.

    A closed one leads nowhere. Signs that the encoding lacks are written plainly, so that no
    message fails in another locale.
    """
    _open_closed_descriptors()
    codecs.register_error(PLAIN_WORDS, _write_plainly)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115
        elif mode == "w" and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=PLAIN_WORDS)


def silence_libraries() -> None:
    """Keep other libraries' warnings and log lines off standard error.

    What concerns the user is said in our own lines. `python -W` brings the warnings back.
    """
    import logging
    import warnings

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    logging.getLogger().addHandler(logging.NullHandler())


def flush_output() -> None:
    """Write out what was printed; raises `OSError` where it cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        lead_nowhere(sys.stdout)
        raise OSError(error.errno, error.strerror, "standard output") from error


def lead_nowhere(stream: TextIO) -> None:
    """Have a stream that fails lead nowhere, so that its rest fails no more."""
    with suppress(OSError, ValueError):  # a stream in memory has no descriptor
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def _open_closed_descriptors() -> None:
    """Open what is closed of the descriptors 0, 1 and 2, or else the next files get them."""
    descriptor = os.open(os.devnull, os.O_RDWR)
    while descriptor <= 2:
        descriptor = os.open(os.devnull, os.O_RDWR)
    os.close(descriptor)


def _write_plainly(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    plain = (PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in signs)
    return "".join(plain), error.end
