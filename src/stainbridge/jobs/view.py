"""Look at results, cohorts and slides in a browser."""

from __future__ import annotations

import webbrowser
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from stainbridge.errors import InputError, MissingExtraError, MissingFileError
from stainbridge.jobs.files.outputs import RESULT_FILES
from stainbridge.jobs.view_trial import run_trial
from stainbridge.progress import Note, Progress, ignore_note, ignore_progress
from stainbridge.ranges import Within, check_ranges

if TYPE_CHECKING:
    import socket

    from fastapi import FastAPI

    from stainbridge.registration.result import Registration
    from stainbridge.viewer.access import Access
    from stainbridge.viewer.serve import BackgroundServer
    from stainbridge.viewer.session import Session
    from stainbridge.viewer.sources import CaseSource

RECORD = RESULT_FILES[0]
#: The folder of results in that of a cohort.
CASES = "cases"
#: Addresses that only this machine reaches.
LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: Addresses that stand for all of this machine's.
EVERY_ADDRESS = ("0.0.0.0", "::")


@dataclass(frozen=True)
class ViewOutcome:
    """A look that has ended."""

    link: str
    """Where it was."""
    cases: int
    """How many cases there were to look at."""


@dataclass(frozen=True, kw_only=True)
class ViewJob:
    """A look at slides in a browser, as one request."""

    paths: tuple[Path, ...]
    """Folders of registrations with one fixed slide, one folder of such folders, or slides."""
    port: Annotated[int | None, Within(0, 65535)] = None
    """The port to listen on; None is the usual one, or any that is free."""
    host: str = "127.0.0.1"
    """The address to listen on; others than this machine's own let other machines in."""
    browser: bool = True
    """Whether to open a browser."""

    def __post_init__(self) -> None:
        check_ranges(self)

    def run(
        self,
        progress: Progress = ignore_progress,  # noqa: ARG002 - every job takes both callbacks
        note: Note = ignore_note,
    ) -> ViewOutcome:
        """Serve until interrupted, and return when all is closed.

        `note` gets the link. Raises `InputError` for paths that are nothing to look at, slides that
        cannot be read and a port that is taken.
        """
        _check_extra()
        from stainbridge.viewer.listen import listen

        with make_session(self.paths) as session:
            listener = listen(self.host, self.port)
            access, link = _open_access(listener, self.host)
            with listener, suppress(KeyboardInterrupt):  # which is how a look ends
                note(f"look at {link}")
                if self.host not in LOOPBACK:
                    note("warning: other machines can reach this address; the link is the key")
                note("Ctrl-C ends it")
                if self.browser:
                    webbrowser.open(link)
                # The browser starts while these load; it waits at the open port.
                from stainbridge.viewer.serve import serve

                serve(_make_app(session, access, _review_folder(self.paths)), listener)
            return ViewOutcome(link, len(session.states))


@dataclass(frozen=True, eq=False)
class RunningViewer:
    """A viewer that runs beside a notebook or a script; `close` ends it.

    Shown in a notebook it is a link.
    """

    link: str
    """Where to look; it holds the key."""
    _server: BackgroundServer

    def close(self) -> None:
        """Stop serving."""
        self._server.close()

    def __repr__(self) -> str:
        """Return one line with the link."""
        return f"<RunningViewer {self.link}>"

    def _repr_html_(self) -> str:
        return f'<a href="{self.link}" target="_blank" rel="noopener">Look at both slides</a>'


def view_registration(
    registration: Registration, *, port: int | None = None, browser: bool = True
) -> RunningViewer:
    """Look at a registration in memory; returns at once, and serves until it is closed.

    Raises `InputError` where it is not known where a slide is, and for a port that is taken.
    """
    _check_extra()
    from stainbridge.viewer.listen import listen
    from stainbridge.viewer.serve import BackgroundServer
    from stainbridge.viewer.session import Session
    from stainbridge.viewer.sources import MemorySource

    title = f"{registration.moving.label} on {registration.fixed.label}"
    session = Session(title, (MemorySource(title, registration),))
    with session.borrow(session.states[0].id):
        listener = listen(LOOPBACK[0], port)
    access, link = _open_access(listener, LOOPBACK[0])
    running = RunningViewer(link, BackgroundServer(_make_app(session, access, None), listener))
    if browser:
        webbrowser.open(link)
    return running


def make_session(paths: tuple[Path, ...]) -> Session:
    """Return a session of what the paths lead to.

    Raises `InputError` where that is nothing to look at, or a single case cannot be opened.
    """
    from stainbridge.viewer.session import Session

    if not paths:
        raise InputError("nothing to look at", expected="a result, a cohort or slides")
    for path in paths:
        if not path.exists():
            raise MissingFileError(
                "no such file or folder", where=path, expected="a result, a cohort or a slide"
            )
    if len(paths) == 1 and not _is_result(paths[0]) and (results := find_results(paths[0])):
        sources = tuple(_result_source(folder, paths[0]) for folder in results)
        return Session(paths[0].resolve().name, sources)
    source = _single_source(paths)
    session = Session(source.title, (source,))
    with session.borrow(session.states[0].id):  # opened now, so that what is wrong is said now
        return session


def find_results(folder: Path) -> list[Path]:
    """Return the folders in `folder`, or in that of its cases, that hold a registration.

    They come by name. `stainbridge cohort` has a folder for its cases.
    """
    if (folder / CASES).is_dir():
        folder = folder / CASES
    if not folder.is_dir():
        return []
    return sorted(child for child in folder.iterdir() if _is_result(child))


def _is_result(path: Path) -> bool:
    return (path / RECORD).is_file()


def _result_source(folder: Path, cohort: Path) -> CaseSource:
    from stainbridge.viewer.sources import ResultSource

    return ResultSource(str(folder.relative_to(cohort)), (folder,))


def _single_source(paths: tuple[Path, ...]) -> CaseSource:
    from stainbridge.viewer.sources import ResultSource, SlidesSource

    results = tuple(path for path in paths if _is_result(path))
    if not results:
        return SlidesSource(" · ".join(path.name for path in paths), paths)
    if len(results) < len(paths):
        other = next(path for path in paths if path not in results)
        raise InputError(
            "results and slides are not looked at together",
            where=other,
            expected="results only, or slides only",
            remedy="register the slide first",
        )
    return ResultSource(" · ".join(path.resolve().name for path in paths), results)


def _review_folder(paths: tuple[Path, ...]) -> Path | None:
    """Return where reviews are kept: in the cohort or the first result; None for slides."""
    first = paths[0]
    return first if _is_result(first) or find_results(first) else None


def _open_access(listener: socket.socket, host: str) -> tuple[Access, str]:
    """Return what requests must bring, and the link that brings it."""
    import socket

    from stainbridge.viewer.access import Access

    port = listener.getsockname()[1]
    is_local = host in LOOPBACK
    names = {*LOOPBACK, host}
    if not is_local:
        names |= {socket.gethostname().lower(), socket.getfqdn().lower()}
    access = Access(hosts=frozenset(names), any_address=not is_local, cookie=f"stainbridge-{port}")
    shown = LOOPBACK[0] if host in EVERY_ADDRESS else host
    shown = f"[{shown}]" if ":" in shown else shown
    return access, f"http://{shown}:{port}/?token={access.token}"


def _make_app(session: Session, access: Access, review_folder: Path | None) -> FastAPI:
    from stainbridge.viewer.app import create_app
    from stainbridge.viewer.review import ReviewFile

    return create_app(
        session,
        access,
        reviews=None if review_folder is None else ReviewFile(review_folder),
        run_trial=run_trial,
        result_files=RESULT_FILES,
    )


def _check_extra() -> None:
    """Raise `MissingExtraError` where the server's packages are not installed."""
    from importlib.util import find_spec

    for package in ("fastapi", "uvicorn"):
        if find_spec(package) is None:
            raise MissingExtraError("the viewer", package, "viewer")
