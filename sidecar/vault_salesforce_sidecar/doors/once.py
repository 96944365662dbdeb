"""One request is one job: Vault may run the same request twice, and both get the answer of one.

What changes something is done once in the life of its signature, whoever sends it again. What only looks is joined
while it is under way, and done again afterwards: nobody keeps answers that may be large.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Generic, TypeVar

from vault_plugin_sdk.logical.errors import CallerError, InternalError, TransientError
from vault_salesforce_sidecar.clock import Clock

Answer = TypeVar("Answer")

KEPT_SECONDS = 60.0  # longer than any signature lives
KEPT_AT_MOST = 20_000
JOIN_SECONDS = 30.0


@dataclass
class _Job(Generic[Answer]):
    fingerprint: Hashable
    begun: float
    done: threading.Event = field(default_factory=threading.Event)
    answer: Answer | None = None


class Once(Generic[Answer]):
    """Remembers the requests of the last minute, by Vault's request id."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, _Job[Answer]] = OrderedDict()

    def run(self, request_id: str, fingerprint: Hashable, work: Callable[[], Answer], *, looks: bool = False) -> Answer:
        """The answer of `work`, or of the same request that was here before.

        Args:
            request_id: Vault's; "" is never joined.
            fingerprint: What must be equal for two requests to be the same.
            work: Answers, and does not raise.
            looks: It changes nothing.

        Raises:
            InternalError: 500, the one before came to no answer.
            CallerError: 409, another request came with this id.
            TransientError: 503, the one before is not done; or too many are remembered, and this one was not begun.
        """
        if not request_id:
            return work()
        with self._lock:
            self._forget()
            job = self._jobs.get(request_id)
            mine = job is None
            if job is None:
                if len(self._jobs) >= KEPT_AT_MOST:
                    raise TransientError("too many requests in a minute; nothing was begun", retry_after_seconds=5)
                job = self._jobs[request_id] = _Job(fingerprint, self._clock.monotonic())
        if job.fingerprint != fingerprint:
            raise CallerError("another request came with this id", status=HTTPStatus.CONFLICT, code="replayed")
        if mine:
            try:
                job.answer = work()
            finally:
                job.done.set()
                if looks:
                    with self._lock:
                        self._jobs.pop(request_id, None)
        elif not self._clock.wait(job.done, JOIN_SECONDS):
            raise TransientError("the same request is still being answered", retry_after_seconds=5)
        if job.answer is None:
            raise InternalError("the same request came to no answer")
        return job.answer

    def _forget(self) -> None:
        """Drop what is old."""
        horizon = self._clock.monotonic() - KEPT_SECONDS
        while self._jobs and next(iter(self._jobs.values())).begun <= horizon:
            self._jobs.popitem(last=False)
