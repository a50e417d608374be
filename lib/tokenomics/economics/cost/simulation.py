"""What a simulated load cost: hours paid over tokens delivered, idle time and all."""

from numpy.typing import ArrayLike

from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, TOKENS, checked
from tokenomics.economics.cost.hourly import Hour
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine
from tokenomics.service.simulator import Outcome

WARMING = 0.2
"""Share of the time of arrivals that passes before tokens are counted: a copy starts empty."""


def achieved(outcome: Outcome) -> float:
    """Output tokens a second of requests that ended between a fifth of the arrivals' time and the last arrival.

    So neither the filling at the start nor the emptying after the last arrival counts as idle time.

    Raises:
        DataError: nothing was finished in that time.
    """
    given = outcome.requests
    end = float(given.arrival_s[-1])
    begin = WARMING * end
    done = outcome.finished & (outcome.finish_s > begin) & (outcome.finish_s <= end)
    tokens = float(given.output[done].sum())
    if not (tokens > 0 and end > begin):
        raise DataError("achieved", "outcome", "no request finished", "one finished before the last arrival")
    return tokens / (end - begin)


def simulated(outcome: Outcome, hour: Amount | Hour, devices: ArrayLike = 1.0) -> Estimate:
    """USD per million output tokens of a simulated load; never to be divided by a utilisation, which is in it.

    Args:
        hour: USD per accelerator-hour.
        devices: accelerators paid all the time, of all replicas.

    Raises:
        DataError: an amount that is not positive, nothing finished.
    """
    usd = checked("simulated cost", "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)
    count, rate = checked("simulated cost", "devices", devices), achieved(outcome)
    return combine(lambda p, n: TOKENS * n * p / (SECONDS_PER_HOUR * rate), [usd, count])
