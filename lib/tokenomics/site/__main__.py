"""``python -m tokenomics.site``: build the site into ``site/_build/html``."""

from tokenomics import paths
from tokenomics.errors import one_line
from tokenomics.site.build import build

with one_line():
    print(f"{paths.shown(build())}/index.html")
