"""What all cases of a cohort share: settings of the registration, and limits of a case."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from stainbridge.compute import DeviceChoice
from stainbridge.jobs.register import RegisterPresetChoice
from stainbridge.ranges import Seed, Within, check_ranges


@dataclass(frozen=True, kw_only=True)
class CaseOptions:
    """How every case is registered.

    Raises `InputError` for a number that is out of range.
    """

    preset: RegisterPresetChoice | None = None
    """How much work to do; None is "default"."""
    pipeline: Path | None = None
    """A YAML file of a configuration instead of a preset."""
    device: DeviceChoice = "cpu"
    """Where to compute."""
    threads: Annotated[int, Within(1, 1024)] = 1
    """CPU threads of a case."""
    seed: Seed | None = None
    """Seed of every random choice; None leaves it to the configuration."""
    allow_flip: bool = True
    """Whether one section may be mirrored."""
    max_rotation_deg: Annotated[float | None, Within(0, 180)] = None
    """Largest rotation to search, in degrees; None leaves it to the configuration."""
    write_slides: bool = False
    """Whether to write the warped slide of every case, whatever the manifest says."""
    report: bool = True
    """Whether to write the quality report of every case."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a case may take before it is ended, and how often it is tried.

    Raises `InputError` for a number that is out of range.
    """

    time_s: Annotated[float, Within(0, 1e7, above=True)] = 3600.0
    """Most seconds of one attempt."""
    memory_gb: Annotated[float, Within(0, 1e4, above=True)] = 4.0
    """Most gigabytes of memory of the process that computes."""
    attempts: Annotated[int, Within(1, 100)] = 2
    """How often a case is tried that did not end by itself."""

    def __post_init__(self) -> None:
        check_ranges(self)


@dataclass(frozen=True, kw_only=True)
class RunSettings:
    """Where and how tasks run; results do not depend on it.

    Raises `InputError` for a number that is out of range.
    """

    limits: Limits = field(default_factory=Limits)
    """What a task may take."""
    scheduler: str = "local"
    """"local", or the address of a scheduler of Dask."""
    workers: Annotated[int | None, Within(1, 1024)] = None
    """Tasks at a time on this machine; None: one a core."""
    threads: Annotated[int, Within(1, 1024)] = 1
    """CPU threads of a task."""
    retry_failed: bool = False
    """Run tasks again that a limit or an error ended."""
    overwrite: bool = False
    """Run tasks again whose inputs or settings have changed since."""

    def __post_init__(self) -> None:
        check_ranges(self)
