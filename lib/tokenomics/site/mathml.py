"""Formulas as MathML, which browsers draw themselves: no script, no font and no network is needed to read a page.

A Sphinx extension around the converter that docutils brings along. A formula it cannot read is a warning, and
warnings stop the build of the site.
"""

import html
import re
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

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


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer under the name ``mathml``."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(display, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
