"""How far a long run is: on a terminal in place, elsewhere a line now and then."""

import sys
import threading
import time
from typing import TextIO

SMALL = 100
"""Rows of a file of which nothing is told."""
TERMINAL_S, ELSEWHERE_S = 0.5, 10.0
"""Seconds between two reports."""


class Progress:
    """Rows done, rate and time left, told by a thread of its own, so also while one row takes long.

    Use it around the work and call it with the rows done and the rows in all, as far as known.

    Args:
        stream: where to tell; default standard error.
    """

    def __init__(self, stream: TextIO | None = None):
        self._stream = stream or sys.stderr
        self._terminal = self._stream.isatty()
        self._done, self._total = 0, 0
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __call__(self, done: int, total: int) -> None:
        if not done:
            self._began = time.monotonic()
        self._done, self._total = done, max(done, total)

    def __enter__(self) -> "Progress":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def line(self) -> str:
        """Rows done of all, rows a second, time left."""
        seconds = time.monotonic() - self._began
        text = f"{self._done:,} of {self._total:,} rows"
        if not self._done:
            return f"{text}, starting"
        rate = self._done / max(seconds, 1e-9)
        left = round((self._total - self._done) / rate)
        return f"{text}, {rate:,.0f} a second, {left // 60}:{left % 60:02d} left"

    def _tell(self) -> None:
        width = 0
        while not self._over.wait(TERMINAL_S if self._terminal else ELSEWHERE_S):
            if self._total < SMALL:
                continue
            line = self.line()
            self._write(f"\r{line:<{width}}" if self._terminal else f"{line}\n")
            width = len(line)
        if width and self._terminal:
            self._write(f"\r{'':<{width}}\r")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody listens any more
            self._over.set()
