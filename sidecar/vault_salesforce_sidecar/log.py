"""The log: one JSON object per line on stderr, in which nothing that is named like a secret has a value."""

import logging
import re
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Protocol, TextIO

import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr

REDACTED = "(redacted)"
_SECRET_NAME = re.compile(r"(?i)(?:password|passwd|token|secret|secret_id|private_key|authorization|assertion|sid)$")
# Whose exceptions have a text that is ours, or the system's: any other may repeat what it was given, a secret with it.
_OURS = ("vault_salesforce_", "vault_plugin_sdk.")
# These print whole requests at DEBUG, passwords and tokens with them.
_TALKATIVE = ("urllib3", "zeep", "zeep.transports", "hvac", "requests", "imapclient")


class Asker(Protocol):
    """Whatever tells who asked: a request's caller, or a record that kept it."""

    @property
    def request_id(self) -> str: ...
    @property
    def display_name(self) -> str: ...
    @property
    def entity_id(self) -> str: ...
    @property
    def accessor(self) -> str: ...


def asked_by(asker: Asker) -> dict[str, str]:
    """Who asked, as the fields of a line."""
    return {
        "request_id": asker.request_id,
        "display_name": asker.display_name,
        "entity_id": asker.entity_id,
        "accessor": asker.accessor,
    }


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: whatever is a SecretStr, or is named like a secret, loses its value at any depth.

    Nothing secret should reach a log call at all; this is the second line.
    """
    return {name: REDACTED if _SECRET_NAME.search(name) else _clean(value) for name, value in event.items()}


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send structlog and the standard library's loggers through one handler.

    Args:
        level: One of `settings.LEVELS`.
        stream: Where lines go; stderr where it is not given.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.ExceptionRenderer(_told),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                redact,
                structlog.processors.JSONRenderer(default=str),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.INFO, root.level))


def hear_the_unheard() -> None:
    """Log what nobody caught, wherever it was raised, as any other fault; Python would print it as it is."""
    log = structlog.get_logger(__name__)

    def of_thread(fault: threading.ExceptHookArgs) -> None:
        if fault.exc_type is not SystemExit:  # a thread may end so
            log.critical("unexpected", exc_info=(fault.exc_type, fault.exc_value, fault.exc_traceback))

    sys.excepthook = lambda kind, exc, at: log.critical("unexpected", exc_info=(kind, exc, at))
    threading.excepthook = of_thread
    sys.unraisablehook = lambda fault: log.error(
        "unexpected", exc_info=(fault.exc_type, fault.exc_value, fault.exc_traceback)
    )


def _told(exc_info: Any) -> str:
    """An exception and what led to it, the first first: where each came from, its kind, and its text if it is ours."""
    head = "Traceback (most recent call last):\n"
    return "\n".join(
        head + "".join(traceback.format_tb(exc.__traceback__)) + _named(exc) for exc in reversed([*_chain(exc_info[1])])
    )


def _named(exc: BaseException) -> str:
    kind = type(exc)
    ours = kind.__module__.startswith(_OURS) or isinstance(exc, OSError)
    return f"{kind.__qualname__}: {exc}" if ours else f"{kind.__module__}.{kind.__qualname__}"


def _chain(exc: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while exc is not None and id(exc) not in seen:
        seen.add(id(exc))
        yield exc
        exc = exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)


def _clean(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return REDACTED
    if isinstance(value, Mapping):
        return redact(None, "", {str(name): item for name, item in value.items()})
    if isinstance(value, list | tuple | set | frozenset):
        return [_clean(item) for item in value]
    return value
