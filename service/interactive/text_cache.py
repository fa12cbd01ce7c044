"""Recent texts: what was made for somebody and is asked for again, in memory, the last used of it.

Nothing is answered from here but to whoever may have it, which the rows say, and while the files that it was
made of are whole: whoever asks looks at both first.
"""

from collections import OrderedDict

from service.settings import MIB

MOST_BYTES = 64 * MIB
"""The shapes of some nine chests of a hundred structures [U]."""


class TextCache:
    """Texts by name, of so many bytes in all. For one event loop."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        # Used last is last.
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def get(self, name: str) -> bytes | None:
        """The text of that name, if it is still there."""
        if name in self._texts:
            self._texts.move_to_end(name)
        return self._texts.get(name)

    def keep(self, name: str, text: bytes) -> None:
        """Keep a text, and let go of those used longest ago that there is no room for beside it."""
        self._bytes += len(text) - len(self._texts.pop(name, b""))
        self._texts[name] = text
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._texts.popitem(last=False)[1])
