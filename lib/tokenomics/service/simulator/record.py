"""What the plain loop writes down while it runs."""

import numpy as np

from tokenomics.service.simulator.outcome import ABANDONED, CANCELLED, COLUMNS, FINISHED, TOTALS, UNSERVED, Outcome
from tokenomics.service.simulator.requests import Requests


class Record:
    """Arrays of an :class:`Outcome` in the making; ``tokens`` and ``log`` ask for the optional ones."""

    def __init__(self, requests: Requests, tokens: bool, log: bool):
        count = len(requests)
        self.requests = requests
        self.started_s, self.first_s, self.finish_s = np.full((3, count), np.nan)
        self.preempted_times = np.zeros(count, dtype=np.int64)
        self.status = np.full(count, UNSERVED)
        self.replica = np.full(count, -1)
        self.totals = dict.fromkeys(TOTALS, 0)
        self.token_start = np.cumsum(requests.output) - requests.output
        self.token_s = np.full(int(requests.output.sum()), np.nan) if tokens else None
        self.rows: list[tuple] | None = [] if log else None

    def launched(self, replica, batch, context: int, seconds: float) -> None:
        """A pass was composed."""
        used = replica.rules.kv_blocks - replica.free
        totals = self.totals
        totals["passes"] += 1
        totals["decode_tokens"] += len(batch.decodes)
        totals["prompt_tokens"] += batch.new
        totals["swapped_blocks"] += batch.swapped
        totals["most_used_blocks"] = max(totals["most_used_blocks"], used)
        totals["busy_s"] += seconds
        if self.rows is not None:
            counts = len(batch.decodes), context, len(batch.chunks), batch.new, used, len(replica.waiting)
            self.rows.append((replica.number, batch.start_s, batch.end_s, *counts))

    def started(self, job, replica) -> None:
        """A request was started, after a preemption once more."""
        self.totals["cached_tokens"] += replica.unit * len(job.held)
        if job.started:
            return
        self.started_s[job.index] = replica.clock
        self.replica[job.index] = replica.number

    def token(self, job, now: float) -> None:
        """A token came."""
        if job.made == 0:
            self.first_s[job.index] = now
        if job.made == job.output - 1:
            self.finish_s[job.index], self.status[job.index] = now, FINISHED
        if self.token_s is not None:
            self.token_s[self.token_start[job.index] + job.made] = now

    def preempted(self, job) -> None:
        """A request lost its place."""
        self.preempted_times[job.index] += 1
        self.totals["preemptions"] += 1

    def gave_up(self, job) -> None:
        """A request left unfinished."""
        self.finish_s[job.index] = job.leaves_s
        self.status[job.index] = CANCELLED if job.started else ABANDONED

    def outcome(self) -> Outcome:
        """All of it."""
        log = {}
        if self.rows is not None:
            rows = sorted(self.rows, key=lambda row: row[0])
            log = {name: np.array([row[i] for row in rows]) for i, name in enumerate(COLUMNS)}
        return Outcome(
            self.requests,
            self.started_s,
            self.first_s,
            self.finish_s,
            self.preempted_times,
            self.status,
            self.replica,
            self.totals,
            self.token_s,
            log,
        )
