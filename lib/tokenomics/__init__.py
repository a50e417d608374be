"""What does a token take, cost, feel like and emit?

The library behind the notebooks. Its rooms, from the ground up, each importing only from lower ones: ``facts`` (sourced
data as typed records), ``parameters``, ``estimate``, ``compute`` (counts and times), ``service`` (requests),
``economics`` (money), ``answers``, ``rows``, ``calibration``, ``notebook``, ``scoring``, ``sections``, ``pipeline``,
``site``. Importing this package loads none of them; the answers below are loaded when they are first used.

>>> import tokenomics
>>> print(tokenomics.size("Llama-3.1-8B", "L40S", rate=2, prompt=500, output=100, tpot_ms=50).layout)
Layout(tp=1, pp=1, dp=1, ep=1, redundant_experts=0)
"""

__version__ = "0.1.0"
_ANSWERS = {
    "size": ("answers.size", "size"),
    "rank": ("answers.rank", "rank"),
    "against": ("answers.rank", "against"),
    "show": ("answers.show", "show"),
    "score": ("scoring.files", "score"),
    "convert": ("rows.formats.convert", "convert"),
    "list": ("sections.listing", "list_names"),
    "list_names": ("sections.listing", "list_names"),
}
"""Functions that are this package's own: their modules, and their names there. ``list_names`` is ``list`` for those who
import it by name and keep Python's own."""


def __getattr__(name: str):
    """An answer by name, loaded now."""
    if name not in _ANSWERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module, function = _ANSWERS[name]
    return getattr(import_module(f"{__name__}.{module}"), function)


def __dir__() -> list[str]:
    return sorted([*globals(), *_ANSWERS])
