"""One package a notebook: its parameters, the tables behind its figures, and their drawings."""
