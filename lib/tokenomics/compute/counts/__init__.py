"""Exact counts of a transformer: parameters, FLOP, bytes, and the matrices that a layout cuts."""
