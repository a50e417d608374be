"""A Sphinx extension that keeps the colon in ``"what it is: how it is made"``, the docstring of a constant.

Napoleon reads the words before such a colon as the type of the value.
"""

from typing import Any

from sphinx.application import Sphinx

BEFORE_NAPOLEON = 499
VALUES = ("attribute", "data", "property")


def keep_sentence(app: Sphinx, what: str, *described: Any) -> None:
    """Set a dash for the colons in the first line of a value's docstring (in place)."""
    lines: list[str] = described[-1]
    if what in VALUES and lines:
        lines[0] = lines[0].replace(": ", " – ")


def setup(app: Sphinx) -> dict[str, Any]:
    """Listen to autodoc, before napoleon does."""
    app.connect("autodoc-process-docstring", keep_sentence, priority=BEFORE_NAPOLEON)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
