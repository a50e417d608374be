"""Extensions of Sphinx for the site: formulas as MathML, and docstrings of constants that keep their colon.

Browsers draw MathML themselves: no script, no font and no network is needed to read a page. The converter is
that of docutils; a formula that it cannot read is a warning, and warnings stop the build of the site.
"""

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

BEFORE_NAPOLEON = 499
VALUES = ("attribute", "data", "property")
log = logging.getLogger(__name__)
SIDELESS_DELIMITER = re.compile(r"\\(big|Big|bigg|Bigg)(?![A-Za-z])")
"""``\\big(`` is good LaTeX, but the converter knows only ``\\bigl(`` and ``\\bigr)``."""


def mathml(tex: str, block: bool = False) -> str:
    """A formula as a MathML element.

    Raises:
        MathError: a command or construction outside the converter's LaTeX.
    """
    return tex2mathml(SIDELESS_DELIMITER.sub(r"\\\1l", tex), as_block=block)


def _element(node: nodes.math | nodes.math_block, block: bool) -> str:
    try:
        return mathml(node.astext().strip(), block)
    except MathError as error:
        log.warning("formula %r: %s", node.astext(), error, location=node)
        return f"<code>{html.escape(node.astext())}</code>"


def inline(self: Any, node: nodes.math) -> None:
    """A formula within a line."""
    self.body.append(f'<span class="math">{_element(node, block=False)}</span>')
    raise nodes.SkipNode


def display(self: Any, node: nodes.math_block) -> None:
    """A formula on a line of its own."""
    self.body.append(f'<div class="math">{_element(node, block=True)}</div>')
    raise nodes.SkipNode


def keep_sentence(app: Sphinx, what: str, *described: Any) -> None:
    """Set a dash for the colons in the first line of a value's docstring (in place).

    Napoleon reads the words before the colon in ``"what it is: how it is made"`` as the type of the value.
    """
    lines: list[str] = described[-1]
    if what in VALUES and lines:
        lines[0] = lines[0].replace(": ", " – ")


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``mathml``, and listen to autodoc before napoleon does."""
    app.connect("autodoc-process-docstring", keep_sentence, priority=BEFORE_NAPOLEON)
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
