"""Between two parties: a line that can be cut, and, where the bytes are HTTP, calls that are lost, late or doubled.

One thread runs all relays. Each connection of a client has one of its own to the other side, so that what a client
sees of a connection is what the other side did with it.
"""

import asyncio
import contextlib
import re
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from faults.harness.calls import Call, session_opened
from faults.harness.deeds import Deed
from faults.harness.script import Moment, Script

_LENGTH = re.compile(rb"(?im)^content-length: *([0-9]+)")
_CHUNKED = re.compile(rb"(?im)^transfer-encoding: *chunked")
_LONGEST_SILENCE_SECONDS = 60.0
_HELD_SECONDS = 15.0
_EARLIER_KEPT = 2

Reader, Writer = asyncio.StreamReader, asyncio.StreamWriter


class Loop:
    """The relays' thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run this there, and wait for what it gives."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def soon(self, work: Callable[[], None]) -> None:
        """Call this there."""
        self._loop.call_soon_threadsafe(work)

    def close(self) -> None:
        """End it, and whatever still runs there."""
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Line:
    """Bytes from a client to the other side and back.

    Args:
        loop: Where it runs.
        other_side: Host and port, asked for each connection.

    Attributes:
        port: Where clients connect, on loopback.
    """

    def __init__(self, loop: Loop, other_side: Callable[[], tuple[str, int]]) -> None:
        self._loop, self._other_side = loop, other_side
        self._mode = ""
        self._open: set[Writer] = set()
        self._healed = asyncio.Event()
        self._healed.set()
        self._server: asyncio.Server = loop.run(self._listen())
        self.port: int = self._server.sockets[0].getsockname()[1]

    def behave(self, mode: str) -> None:
        """From now on: "" passes everything; see `deeds.LINE_MODES`."""
        self._loop.run(self._behave(mode))

    def close(self) -> None:
        """End it."""
        self._loop.run(self._close())

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=1 << 22, backlog=512)

    async def _behave(self, mode: str) -> None:
        self._mode = mode
        if mode:
            self._healed.clear()
        if mode in ("cut", "reset"):
            self._drop_all(reset=mode == "reset")
        if not mode:
            self._healed.set()
            self._drop_all(reset=True)  # a line that swallowed bytes is of no use afterwards

    def _drop_all(self, *, reset: bool) -> None:
        for writer in list(self._open):
            _drop(writer, reset=reset)

    async def _close(self) -> None:
        self._server.close()
        self._healed.set()
        self._drop_all(reset=True)

    async def _accept(self, reader: Reader, writer: Writer) -> None:
        self._open.add(writer)
        try:
            if self._mode in ("cut", "reset"):
                _drop(writer, reset=True)
                return
            host, port = self._other_side()
            theirs, ours = await asyncio.open_connection(host, port, limit=1 << 22)
            self._open.add(ours)
            try:
                await self._serve(reader, writer, theirs, ours)
            finally:
                self._open.discard(ours)
                ours.close()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError):
            pass
        except asyncio.CancelledError:
            pass  # the loop ends; Python 3.11 prints a traceback for a handler that passes this on
        finally:
            self._open.discard(writer)
            writer.close()

    async def _serve(self, reader: Reader, writer: Writer, theirs: Reader, ours: Writer) -> None:
        pumps = [asyncio.ensure_future(pump) for pump in (self._pump(reader, ours, 0), self._pump(theirs, writer, 1))]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, source: Reader, sink: Writer, direction: int) -> None:
        while data := await source.read(1 << 16):
            if not await self._passes(direction):
                continue
            sink.write(data)
            await sink.drain()

    async def _passes(self, direction: int) -> bool:
        """Whether bytes of this direction (0: from the client) go on, as the line behaves now."""
        if self._mode == "slow":
            await asyncio.sleep(0.3)
        return not (self._mode == "black hole" or (self._mode == "half-open" and direction == 1))


class HttpLine(Line):
    """The same where HTTP/1.1 passes, whose calls a script may aim at.

    Args:
        loop: See `Line`.
        other_side: See `Line`.
        script: Asked for each call.
        classify: From method, target, head and body to the call.
        opened: Told of each session that an answer opens, with the call.
    """

    def __init__(
        self,
        loop: Loop,
        other_side: Callable[[], tuple[str, int]],
        script: Script,
        classify: Callable[[str, str, str, str], Call],
        opened: Callable[[str, Call], None] | None = None,
    ) -> None:
        self._script, self._classify, self._opened = script, classify, opened
        self._earlier: dict[str, list[bytes]] = {}
        self._late: set[asyncio.Future[None]] = set()
        self._refusal: bytes = b""
        super().__init__(loop, other_side)

    def refuse_all(self, deed: Deed | None) -> None:
        """From now on everything is answered by this; None: by the other side."""
        refusal = _said(deed) if deed else b""

        async def turn() -> None:
            self._refusal = refusal

        self._loop.run(turn())

    async def _serve(self, reader: Reader, writer: Writer, theirs: Reader, ours: Writer) -> None:
        while (request := await _message(reader)) is not None:
            if not await self._passes(0):
                await self._healed.wait()
                return
            answer = self._refusal or await self._one(request, theirs, ours, writer)
            if answer is None:
                return
            if not await self._passes(1):
                await self._healed.wait()
                return
            writer.write(answer)
            await writer.drain()

    async def _one(self, request: bytes, theirs: Reader, ours: Writer, writer: Writer) -> bytes | None:
        head, _, body = request.partition(b"\r\n\r\n")
        text = head.decode(errors="replace")
        method, target, _ = text.split(" ", 2)
        call = self._classify(method, target, text, body.decode(errors="replace"))
        deed, moment = self._script.take(call)
        if moment and not moment.after:
            await _held(moment)
        if deed is not None:
            return await self._meddled(deed, request, theirs, ours, writer, target)
        answer = await _ask(request, theirs, ours)
        self._remember(method, target, call, answer)
        if moment and moment.after:
            await _held(moment)
        return answer

    async def _meddled(  # noqa: PLR0917 - one call, both of its sides
        self, deed: Deed, request: bytes, theirs: Reader, ours: Writer, writer: Writer, target: str
    ) -> bytes | None:
        answers = []
        if deed.late_seconds:
            later = asyncio.ensure_future(self._later(deed.late_seconds, request))
            self._late.add(later)  # the loop itself would let it be collected before its time
            later.add_done_callback(self._late.discard)
        else:
            answers = [await _ask(request, theirs, ours) for _ in range(deed.reaches)]
        if deed.answers == "silence":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._until_gone(writer), _LONGEST_SILENCE_SECONDS)
            return None
        if deed.answers in ("nothing", "reset"):
            _drop(writer, reset=deed.answers == "reset")
            return None
        if deed.answers == "said":
            return _said(deed)
        if deed.answers == "earlier":
            earlier = self._earlier.get(target)
            return earlier[0] if earlier else await _ask(request, theirs, ours)
        if deed.slow_seconds:
            await asyncio.sleep(deed.slow_seconds)
        return answers[-1] if deed.answers == "second" else answers[0]

    async def _later(self, seconds: float, request: bytes) -> None:
        await asyncio.sleep(seconds)
        host, port = self._other_side()
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            theirs, ours = await asyncio.open_connection(host, port, limit=1 << 22)
            try:
                await _ask(request, theirs, ours)
            finally:
                ours.close()

    @staticmethod
    async def _until_gone(writer: Writer) -> None:
        while not writer.transport.is_closing():  # noqa: ASYNC110 - nobody tells of it
            await asyncio.sleep(0.1)

    def _remember(self, method: str, target: str, call: Call, answer: bytes) -> None:
        if method == "GET" and call.name.endswith(".read"):
            kept = self._earlier.setdefault(target, [])
            kept.append(answer)
            del kept[:-_EARLIER_KEPT]
        if self._opened and call.name in ("login", "grant"):
            session = session_opened(answer.decode(errors="replace"))
            if session:
                self._opened(session, call)


async def _held(moment: Moment) -> None:
    moment.come.set()
    end = asyncio.get_running_loop().time() + _HELD_SECONDS
    while not moment.acted.is_set() and asyncio.get_running_loop().time() < end:  # noqa: ASYNC110 - another thread's
        await asyncio.sleep(0.01)


async def _ask(request: bytes, theirs: Reader, ours: Writer) -> bytes:
    ours.write(request)
    await ours.drain()
    answer = await _message(theirs, answers=True)
    if answer is None:
        raise ConnectionResetError
    return answer


async def _message(reader: Reader, *, answers: bool = False) -> bytes | None:
    """One message, whole; None at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as exc:
        if exc.partial:
            raise
        return None
    if _CHUNKED.search(head):
        return head + await _chunks(reader)
    length = _LENGTH.search(head)
    if length:
        return head + await reader.readexactly(int(length[1]))
    if answers and b" 204 " not in head.split(b"\r\n", 1)[0] and b"close" in head.lower():
        return head + await reader.read()
    return head


async def _chunks(reader: Reader) -> bytes:
    whole = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        whole += line + await reader.readexactly(size + 2)
        if not size:
            return whole


def _said(deed: Deed) -> bytes:
    body = deed.body.encode()
    kind = {"{": "application/json", "<": "text/html"}.get(deed.body[:1], "text/plain")
    if deed.body.startswith("<?xml"):
        kind = "text/xml; charset=UTF-8"
    return f"HTTP/1.1 {deed.status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def _drop(writer: Writer, *, reset: bool) -> None:
    connection = writer.get_extra_info("socket")
    if reset and connection is not None:
        with contextlib.suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort() if reset else writer.close()


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
