"""The compiled loop that is kept on disk is compiled anew when anything in it changes."""

import ast
import inspect

from tokenomics.service.simulator import compiled_loop

PACKAGE = "tokenomics.service.simulator"


def imported(module) -> set[str]:
    """Modules of the simulator from which a module takes names."""
    found = set()
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.ImportFrom) and node.module.startswith(PACKAGE):
            found |= {f"{PACKAGE}.{each.name}" for each in node.names} if node.module == PACKAGE else {node.module}
    return found


def test_the_key_of_the_kept_code_covers_all_that_it_takes_from_other_modules():
    known = {module.__name__ for module in compiled_loop.SOURCES}
    for module in compiled_loop.SOURCES:
        if "compiled" in module.__name__:
            assert imported(module) <= known, module.__name__
    (texts,) = (cell.cell_contents for cell in compiled_loop.drive.py_func.__closure__)
    assert all(inspect.getsource(module) in texts for module in compiled_loop.SOURCES)
