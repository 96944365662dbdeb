"""A line between two parties with somebody listening: passes on every byte, keeps a copy, and can be cut."""

import contextlib
from collections.abc import Iterator
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from faults.harness.relay import Line, Loop, Reader, Writer


class _Heard(Line):
    """A line that keeps what passes: one copy for each direction of each connection."""

    def __init__(self, loop: Loop, url: str) -> None:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
        self.copies: list[bytearray] = []
        super().__init__(loop, lambda: (host, port))

    async def _pump(self, source: Reader, sink: Writer, direction: int) -> None:
        self.copies.append(copy := bytearray())
        while data := await source.read(1 << 16):
            copy += data
            if await self._passes(direction):
                sink.write(data)
                await sink.drain()


class Tap:
    """Such a line, as a context manager.

    Args:
        url: Of the server behind it.

    Attributes:
        url: Where the others find that server instead.
    """

    def __init__(self, url: str) -> None:
        self._loop = Loop()
        self._line = _Heard(self._loop, url)
        self.url = f"http://127.0.0.1:{self._line.port}"

    def heard(self) -> bytes:
        """All that went over it, one direction of a connection after the other."""
        return b"\n".join(bytes(copy) for copy in list(self._line.copies))

    def hang_up(self) -> None:
        """Break what is connected now."""
        self._line.behave("")

    @contextlib.contextmanager
    def cut(self) -> Iterator[None]:
        """Nothing passes meanwhile."""
        self._line.behave("cut")
        try:
            yield
        finally:
            self._line.behave("")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self._line.close()
        self._loop.close()
