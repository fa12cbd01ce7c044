"""Text cache: texts that were made for a client and may be requested again, the last used ones, in memory.

A caller checks first that the owner holds the case, and that the files from which the text was made are
whole.
"""

from collections import OrderedDict

from service.settings import MIB

MOST_BYTES = 64 * MIB
"""The shapes of about nine chests with a hundred structures each [U]."""


class TextCache:
    """Texts by name, limited by their total number of bytes. For one event loop."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes, self._bytes = most_bytes, 0
        # The last used text is last.
        self._texts: OrderedDict[str, bytes] = OrderedDict()

    def get(self, name: str) -> bytes | None:
        """The text of that name; None if it is not in the cache."""
        if name in self._texts:
            self._texts.move_to_end(name)
        return self._texts.get(name)

    def keep(self, name: str, text: bytes) -> None:
        """Add a text, and drop the least recently used ones if there is not enough room."""
        self._bytes += len(text) - len(self._texts.pop(name, b""))
        self._texts[name] = text
        while self._bytes > self._most_bytes:
            self._bytes -= len(self._texts.popitem(last=False)[1])
