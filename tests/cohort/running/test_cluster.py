"""Workers on this machine keep no long logs: memory does not grow with the cases."""

from __future__ import annotations

from stainbridge.cohort.running.cluster import LOCAL, QUIET, open_client
from stainbridge.progress import ignore_note


def test_logs_of_the_scheduler_and_its_workers_are_short() -> None:
    longest = QUIET["distributed.admin.low-level-log-length"]
    with open_client(LOCAL, 1, 1, ignore_note) as client:
        scheduler = client.cluster.scheduler
        (worker,) = client.cluster.workers.values()
        assert scheduler.transition_log.maxlen == longest
        assert worker.state.log.maxlen == longest
        assert worker.state.stimulus_log.maxlen == longest
        assert "profile" not in worker.periodic_callbacks
        for server in (scheduler, worker):
            assert server.periodic_callbacks["tick"].callback_time >= 1000  # milliseconds
