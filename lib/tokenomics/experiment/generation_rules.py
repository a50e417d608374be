"""What ends an answer, the same for every arm and both engines."""

CAP = 16
"""Most tokens of an answer."""
STOPS = ["\n", "<|im_end|>"]
"""Texts that end it."""
