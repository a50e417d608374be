"""Who asks for what, and when: request streams read from traces or drawn from compact published statistics.

``stream`` is the record that everything else makes or takes; ``traces`` reads one from a file; ``arrivals`` draws
times; ``published`` draws whole streams from the statistics in ``data/workloads``; ``conversations`` ties requests into
sessions, makes chats and agents, and adds hidden reasoning; ``fidelity`` compares a drawn stream with its trace;
``derive`` fits the statistics (``python -m tokenomics.service.workload FOLDER`` rebuilds ``data/workloads``).
Everything drawn depends on its seed alone.
"""

from tokenomics.service.workload.arrivals import (
    Constant,
    Diurnal,
    Gamma,
    Modulated,
    Poisson,
    arrival_times,
    cosine_day,
    process,
)
from tokenomics.service.workload.conversations import AGENT, CHAT, SessionShape, Spread, Ties, sessions, with_reasoning
from tokenomics.service.workload.fidelity import statistics
from tokenomics.service.workload.lengths import Lengths
from tokenomics.service.workload.published import Workload, shipped, workload
from tokenomics.service.workload.stream import Blocks, Stream, mixed, with_priorities
from tokenomics.service.workload.traces import read_trace

__all__ = [
    "AGENT",
    "CHAT",
    "Blocks",
    "Constant",
    "Diurnal",
    "Gamma",
    "Lengths",
    "Modulated",
    "Poisson",
    "SessionShape",
    "Spread",
    "Stream",
    "Ties",
    "Workload",
    "arrival_times",
    "cosine_day",
    "mixed",
    "process",
    "read_trace",
    "sessions",
    "shipped",
    "statistics",
    "with_priorities",
    "with_reasoning",
    "workload",
]
