"""Which is cheaper, and from where on: own, rent or API."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tokenomics.economics.cost.amounts import SECONDS_PER_HOUR, checked
from tokenomics.economics.cost.hourly import Hour
from tokenomics.errors import DataError
from tokenomics.estimate import Amount, Estimate, combine


def breakeven_rate(
    hour: Amount | Hour, usd_per_task: Amount, devices: ArrayLike = 1.0, capacity: ArrayLike = np.inf
) -> Estimate:
    """Tasks a second from which ``devices`` accelerators kept all the time are no dearer than paying by the task.

    Args:
        hour: USD per accelerator-hour.
        usd_per_task: what the API takes for a task.
        capacity: tasks a second that the accelerators can do; where that is less, the answer is infinite.

    Raises:
        DataError: an amount that is not positive.
    """
    usd = checked("break-even", "usd_per_hour", hour.usd if isinstance(hour, Hour) else hour)
    count, task = checked("break-even", "devices", devices), checked("break-even", "usd_per_task", usd_per_task)
    most = np.asarray(capacity, dtype=float)
    if not np.all(most > 0):
        raise DataError("break-even", "capacity", most.tolist(), "above 0")

    def rate(p, n, price):
        tasks = n * p / SECONDS_PER_HOUR / price
        return np.where(tasks <= most, tasks, np.inf)

    return combine(rate, [usd, count], [task])


def cheapest(usd: Mapping[str, ArrayLike]) -> NDArray[np.str_]:
    """The name of the least amount at each point of arrays that broadcast; equal amounts go to the first by name.

    Raises:
        DataError: no option, an amount that is negative or not a number.
    """
    if not usd:
        raise DataError("cheapest", "options", "none", "at least one")
    names = sorted(usd)
    amounts = np.broadcast_arrays(*(np.asarray(usd[name], dtype=float) for name in names))
    for name, amount in zip(names, amounts, strict=True):
        if not np.all(amount >= 0):
            raise DataError("cheapest", name, float(amount[~(amount >= 0)].flat[0]), "at least 0")
    return np.array(names)[np.argmin(np.stack(amounts), axis=0)]
