"""Figures of notebook 01."""

from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from tokenomics.notebook import report
from tokenomics.sections.s01_ubiquitous_llms.growth import Growth

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def trend(axes: "Axes", growth: Growth, years: ArrayLike, **line: Any) -> None:
    """Draw a fitted growth over ``years`` as a dashed line, labelled with its factor a year and interval."""
    label = f"frontier: ×{growth.factor_per_year:.2g} a year ({growth.low:.2g} to {growth.high:.2g})"
    axes.plot(years, growth.at(years), **{"color": "0.2", "linestyle": "--", "label": label, "zorder": 1} | line)


def record_growth(key: str, fitted: Growth, meaning: str) -> None:
    """Record a fitted growth under ``key``: factor a year with its interval."""
    of = f"growth of {meaning}"
    report.metric(key, fitted.factor_per_year, "1/year", of, low=fitted.low, high=fitted.high)
