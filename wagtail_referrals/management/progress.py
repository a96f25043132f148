"""How far a long command is: a bar on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from typing import Any, Final

from django.utils.translation import gettext as _

WIDTH: Final = 30
# Seconds between two lines where there is no terminal; a bar is drawn anew ten times a second.
BETWEEN_LINES: Final = 5.0
BETWEEN_BARS: Final = 0.1


class Progress:
    """Tells ``stream`` how many of how many are done, with the time that is left. One thing after another."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream
        self.is_bar = stream.isatty()
        self.what = ""
        self.started = self.last = time.monotonic()

    def show(self, what: str, done: int, total: int) -> None:
        """``what`` is in the language of who reads it."""
        now = time.monotonic()
        if what != self.what:
            self.clear()
            self.what, self.started = what, now
            self.last = now if not self.is_bar else 0.0
        if now - self.last < (BETWEEN_BARS if self.is_bar else BETWEEN_LINES):
            return
        self.last = now
        share = min(done / total, 1.0) if total else 1.0
        words = _("%(what)s: %(done)s of %(total)s (%(percent)s %%)%(left)s") % {
            "what": what,
            "done": done,
            "total": total,
            "percent": int(share * 100),
            "left": self._left(done, total, now),
        }
        if self.is_bar:
            full = int(share * WIDTH)
            self._write(f"\r[{'#' * full}{'.' * (WIDTH - full)}] {words}\x1b[K")
        else:
            self._write(f"{words}\n")

    def _left(self, done: int, total: int, now: float) -> str:
        if not done or done >= total:
            return ""
        seconds = round((now - self.started) * (total - done) / done)
        minutes, rest = divmod(seconds, 60)
        if minutes:
            return _(", %(minutes)s min %(seconds)s s left") % {"minutes": minutes, "seconds": rest}
        return _(", %(seconds)s s left") % {"seconds": seconds}

    def clear(self) -> None:
        if self.is_bar and self.what:
            self._write("\r\x1b[K")
            self.last = 0.0

    def _write(self, text: str) -> None:
        # Nothing went wrong, as the style of stderr would say.
        self.stream.write(text, style_func=str, ending="")
        self.stream.flush()
