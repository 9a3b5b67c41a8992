"""The state of the process that a training changes and must leave as it was."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import torch

#: The logger whose level `launch_fabric` sets.
FABRIC_LOGGER = "lightning_fabric"


@contextmanager
def preserve_global_state() -> Iterator[None]:
    """Restore torch's random states and thread count and Fabric's log level at the end.

    A training seeds torch's global generators, because layers are initialised and dropout is drawn
    from them. It touches no other global generator.
    """
    random_state = torch.get_rng_state()
    cuda_random_states = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []
    threads = torch.get_num_threads()
    logger = logging.getLogger(FABRIC_LOGGER)
    log_level = logger.level
    try:
        yield
    finally:
        torch.set_rng_state(random_state)
        if cuda_random_states:
            torch.cuda.set_rng_state_all(cuda_random_states)
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        logger.setLevel(log_level)
