"""Questions answered at once, from Python and from the command line: facts (``show``), devices and dollars (``size``).

An answer is a frozen record whose ``print`` is a few aligned lines and whose ``as_dict`` is what ``--json`` writes.
"""
