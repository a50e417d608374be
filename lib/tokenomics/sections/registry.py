"""Which notebooks there are, and the declaration of each one's parameters, loaded when asked for.

The files ``params/*.yaml`` hold the values in use, ``params/schema/*.json`` lets an editor check them, and each
notebook's ``parameters`` cell repeats name and default; all three are generated from the declarations.
"""

import importlib
from pathlib import Path

from tokenomics.errors import DataError
from tokenomics.parameters.types import Common

NOTEBOOKS = tuple(sorted(folder.name[1:] for folder in Path(__file__).parent.glob("s[0-9][0-9]_*")))
"""``NN_name`` of every notebook, in the order of the survey: one package ``sNN_name`` each beside this module."""


def declared(notebook: str) -> type[Common]:
    """The declaration of a notebook's parameters.

    Raises:
        DataError: no such notebook.
    """
    if notebook not in NOTEBOOKS:
        raise DataError("parameters", "notebook", notebook, ", ".join(NOTEBOOKS))
    return importlib.import_module(f"tokenomics.sections.s{notebook}.parameters").Parameters
