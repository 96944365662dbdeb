"""Stale consumers: programs that go on logging in with the credential they once had, and lock the user."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from time import monotonic
from typing import Any

from .faults import FaultError
from .login import LoginAttempt, log_in
from .org import ChangeSeen, Org
from .reading import SettingsError, change
from .user import User

SOURCE = "203.0.113.77"
APPLICATION = "stale consumer"
FASTEST = 100.0


@dataclass(frozen=True)
class StalePlan:
    """What a stale consumer does.

    Attributes:
        rate_per_second: Logins per second, above 0 and at most 100.
        start: `next_change` or `now`; `from` in JSON.
        max_seconds: How long it goes on, by the wall clock.
    """

    rate_per_second: float = 10.0
    start: str = field(default="next_change", metadata={"choices": ("next_change", "now")})
    max_seconds: float = 60.0


def read_plan(document: Any) -> StalePlan:
    """Read a plan.

    Raises:
        SettingsError: With every fault found.
    """
    if isinstance(document, Mapping):
        document = {"start" if name == "from" else name: value for name, value in document.items()}
    plan = change(StalePlan(), document, "stale_consumer")
    if not 0 < plan.rate_per_second <= FASTEST:
        raise SettingsError([f"stale_consumer.rate_per_second must be above 0 and at most {FASTEST:.0f}."])
    return plan


class StaleConsumers:
    """The stale consumers of an org, at most one to a user."""

    def __init__(self, org: Org) -> None:
        self._org = org
        self._lock = Lock()
        self._armed: dict[str, StalePlan] = {}
        self._running: dict[str, tuple[Event, Thread]] = {}
        org.on_change(self._on_change)

    def set(self, user: User, plan: StalePlan | None) -> None:
        """Give a user a stale consumer in place of the one there is, or none."""
        self.stop(user)
        if plan is None:
            return
        if plan.start == "next_change":
            with self._lock:
                self._armed[user.id] = plan
        else:
            with self._org.lock:
                seen = ChangeSeen(user, user.password, user.security_token or "")
            with self._lock:
                self._start(seen, plan)

    def stop(self, user: User) -> None:
        """End a user's stale consumer, and wait until it has ended."""
        with self._lock:
            self._armed.pop(user.id, None)
            running = self._running.pop(user.id, None)
        if running:
            running[0].set()
            running[1].join()

    def stop_all(self) -> None:
        """End every stale consumer."""
        with self._lock:
            self._armed.clear()
            running, self._running = self._running, {}
        for stopped, thread in running.values():
            stopped.set()
            thread.join()

    def describe(self, user: User) -> str:
        """Say what a user's stale consumer is doing: `off`, `armed`, `running`."""
        with self._lock:
            running = self._running.get(user.id)
            if running and running[1].is_alive():
                return "running"
            return "armed" if user.id in self._armed else "off"

    def _on_change(self, seen: ChangeSeen) -> None:
        with self._lock:
            plan = self._armed.pop(seen.user.id, None)
            if plan:
                self._start(seen, plan)

    def _start(self, seen: ChangeSeen, plan: StalePlan) -> None:
        stopped = Event()
        thread = Thread(target=self._run, args=(seen, plan, stopped), name="orgsim-stale", daemon=True)
        self._running[seen.user.id] = (stopped, thread)
        thread.start()

    def _run(self, seen: ChangeSeen, plan: StalePlan, stopped: Event) -> None:
        attempt = LoginAttempt(
            username=seen.user.username,
            secret=seen.password + seen.security_token,
            source=SOURCE,
            application=APPLICATION,
            stale=True,
        )
        end = monotonic() + plan.max_seconds
        while not stopped.is_set() and monotonic() < end:
            # A stale consumer learns nothing from a refusal; that is what is wrong with it.
            with suppress(FaultError):
                log_in(self._org, attempt)
            stopped.wait(1 / plan.rate_per_second)
