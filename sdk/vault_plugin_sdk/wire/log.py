"""The one writer to stderr, where the host reads log lines: it can only emit objects that the host can take.

A JSON line whose `@message` is not a string brings the whole server down (go-plugin casts without a check), and any
line that anybody prints goes to the same pipe. So everything passes through here: log records, prints, C-level output.
"""

import contextlib
import faulthandler
import json
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import TracebackType

MAX_LINE_BYTES = 64 * 1024 - 1  # the host cuts longer lines up, and takes each piece for a line of its own
_MAX_TEXT = 5_000  # characters; at most 12 bytes each once escaped, so that message and module always fit
_MAX_FRAMES = 30
_STRAY_READ_BYTES = 8 * 1024

_LEVELS = ((logging.ERROR, "error"), (logging.WARNING, "warn"), (logging.INFO, "info"), (logging.DEBUG, "debug"))
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def log_line(moment: datetime, level: str, module: str, message: str, fields: Mapping[str, object]) -> bytes:
    """One log object on one line.

    Args:
        moment: When it happened.
        level: `trace`, `debug`, `info`, `warn` or `error`.
        module: Who says it.
        message: What happened; cut where it is too long.
        fields: More of it; left out where the line would become too long.

    Returns:
        ASCII, ending in a newline, shorter than 64 KiB.
    """
    head = {
        "@level": level,
        "@message": str(message)[:_MAX_TEXT],
        "@module": str(module)[:100],
        "@timestamp": moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    # `head` comes last: no field can take the place of one of its keys.
    line = json.dumps({str(name): _plain(value) for name, value in fields.items()} | head).encode() + b"\n"
    return line if len(line) <= MAX_LINE_BYTES else json.dumps(head).encode() + b"\n"


def describe_exception(exc: BaseException) -> dict[str, str]:
    """What is logged of an exception: its type and where it arose, and the same of its causes.

    Its text is left out: a foreign library may have put the value that it stumbled over into it, and that may be a
    secret.
    """
    chain: list[BaseException] = []
    current: BaseException | None = exc
    while current is not None and current not in chain:
        chain.append(current)
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return {
        "error_type": " from ".join(f"{type(one).__module__}.{type(one).__qualname__}" for one in chain),
        "trace": " | ".join(" > ".join(_frames(one.__traceback__)) for one in chain),
    }


def _frames(trace: TracebackType | None) -> Iterator[str]:
    seen = 0
    while trace is not None and seen < _MAX_FRAMES:
        code = trace.tb_frame.f_code
        yield f"{code.co_filename}:{trace.tb_lineno} {code.co_qualname}"
        trace = trace.tb_next
        seen += 1


def _plain(value: object) -> str | int | None:
    return value if value is None or isinstance(value, str | int) else str(value)


class LogWriter(logging.Handler):
    """Writes log records of the standard library, and whatever strays to stderr, as the host's log objects.

    Args:
        descriptor: Where lines go; the process's own stderr, kept aside.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record; fields given as `extra` become fields."""
        fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            fields |= describe_exception(record.exc_info[1])
        level = next((word for number, word in _LEVELS if record.levelno >= number), "trace")
        try:
            message = record.getMessage()
        except (TypeError, ValueError, KeyError):
            message = str(record.msg)  # the arguments do not fit the text: the text alone still helps
        self.write(level, record.name, message, fields)

    def write(self, level: str, module: str, message: str, fields: Mapping[str, object] | None = None) -> None:
        """Write one line; see `log_line`. A host that has gone is not told."""
        rest = memoryview(log_line(datetime.now(UTC), level, module, message, fields or {}))
        with self.lock or contextlib.nullcontext(), contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]


def take_over_stderr() -> LogWriter:
    """Make this the only way to stderr: file descriptor 2 becomes a pipe whose lines are logged, one by one.

    Returns:
        The writer, which also handles the records of the standard library's `logging` from now on.
    """
    stderr = os.dup(2)
    writer = LogWriter(stderr)
    read_end, write_end = os.pipe()
    os.dup2(write_end, 2)
    os.close(write_end)
    # A crash of the interpreter cannot wait for a thread. Its report is plain text, which the host takes.
    faulthandler.enable(stderr)
    threading.Thread(target=_log_stray_lines, args=(read_end, writer), name="stray-stderr", daemon=True).start()
    logging.basicConfig(handlers=[writer], level=logging.INFO, force=True)
    logging.getLogger("grpclib").setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    return writer


def send_stdout_to_stderr() -> None:
    """From now on what is printed on stdout is logged too; the host would drop it."""
    os.dup2(2, 1)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # replaced by something of the author's own
            stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


def _log_stray_lines(read_end: int, writer: LogWriter) -> None:
    with open(read_end, "rb") as stream:
        while line := stream.readline(_STRAY_READ_BYTES):
            text = line.decode(errors="replace").rstrip()
            if text:
                writer.write("warn", "stderr", text)
