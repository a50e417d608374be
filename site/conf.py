"""Sphinx settings of the reader's site. Its pages are prepared by ``tokenomics.site``; see ``make site``."""

from pybtex.backends.plaintext import Backend
from pybtex.plugin import register_plugin

register_plugin("pybtex.backends", "plaintext", Backend, force=True)  # else each citation scans all packages

project = "What does a token take, cost, feel like and emit?"
author = "The tokenomics-lab authors"
copyright = "the authors; text, figures and own data CC BY 4.0, code MIT"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_design",
    "sphinxcontrib.bibtex",
    "tokenomics.site.extension",
]
exclude_patterns = ["made", "files"]
suppress_warnings = ["mystnb.unknown_mime_type"]
smartquotes = False

nb_execution_mode = "off"
nb_merge_streams = True
nb_code_prompt_show = "Code"
nb_code_prompt_hide = "Code"
myst_enable_extensions = ["amsmath", "attrs_inline", "colon_fence", "dollarmath"]
myst_heading_anchors = 3
myst_update_mathjax = False

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
toc_object_entries = False
python_maximum_signature_line_length = 88

bibtex_bibfiles = ["references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"

html_theme = "sphinx_book_theme"
html_title = "tokenomics-lab"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_context = {"default_mode": "auto"}
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_theme_options = {
    "navbar_persistent": [],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
