"""Registration and heartbeat: tell the plugin where this sidecar is, learn its key and what is due."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from vault_plugin_sdk.framework.fields import to_stored
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.registration import (
    BEAT_SECONDS,
    CONTRACT,
    OLDEST_CONTRACT,
    STALE_SECONDS,
    DueMark,
    Held,
    Registration,
    RegistrationAnswer,
)
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.store import Conflict, KvUnavailable
from vault_salesforce_sidecar.vault.client import Vault
from vault_salesforce_sidecar.vault.comparison import Comparison

log = structlog.get_logger(__name__)

APART_SECONDS = 0.2  # between two heartbeats at the least, whoever asks for them
COPIES_AT_ONCE = 500  # handed over between two heartbeats: the next one tells what others did meanwhile
HANDS = 4  # that hand over at the same time: each copy is three requests, which take turns with everybody else's


class Reporting(Protocol):
    """What the heartbeat asks of the rotations, and tells them."""

    mount: str

    def held(self) -> dict[str, Held]:
        """Role → what KV holds."""

    def changing(self) -> tuple[str, ...]:
        """Roles in hand here."""

    def request(
        self, role: str, cause: str, version: int | None, rotation_id: str | None = None, caller: Caller | None = None
    ) -> bool:
        """Begin the rotation of a due version."""

    def republish(self, roles: Collection[str]) -> None:
        """Push what the plugin lacks."""

    def copies_ahead(self, copies: Mapping[str, Held]) -> None:
        """The plugin holds these, and KV less, as far as is known here."""


@dataclass(frozen=True)
class Trust:
    """Whose signed requests are obeyed.

    Attributes:
        accessor: Accessor of the mount.
        public_key: Of the plugin's present process.
    """

    accessor: str
    public_key: Ed25519PublicKey


class Registrar:
    """Writes the heartbeat from one thread, every `BEAT_SECONDS` and whenever it is asked to.

    Args:
        url: Where the plugin reaches this sidecar.
        certificate: PEM of the certificate that it will see there.
        version: Release of the sidecar.
        fault: Why the rotations are not up; None while they are.
        registered: Called when the first heartbeat has been answered that had nothing to complain of.

    Attributes:
        trust: From the last answer; None until there was one.
    """

    def __init__(
        self,
        vault: Vault,
        rotations: Reporting,
        settings: Settings,
        clock: Clock,
        *,
        url: str,
        certificate: str,
        version: str,
        fault: Callable[[], str | None],
        registered: Callable[[], None],
    ) -> None:
        self.trust: Trust | None = None
        self._vault, self._rotations, self._settings, self._clock = vault, rotations, settings, clock
        self._url, self._certificate, self._version = url, certificate, version
        self._not_up, self._registered = fault, registered
        self._is_registered = False
        self._comparison = Comparison(settings.instance)
        self._comparing = threading.Lock()
        self._fault: str | None = "no heartbeat has been answered yet"
        self._answered_at = float("-inf")
        self._stopping = threading.Event()
        self._wanted = threading.Event()
        self._beaten = threading.Condition()
        self._beats = 0
        self._beating = False
        self._refreshing = threading.Lock()
        self._helpers: dict[str, threading.Thread] = {}
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    @property
    def reason(self) -> str | None:
        """Why the plugin cannot use this sidecar; None while it can."""
        if self._clock.monotonic() - self._answered_at < STALE_SECONDS:
            return None
        return self._fault or "the last heartbeat was long ago"

    def start(self) -> None:
        """Begin with a heartbeat; returns at once. Twice does no harm."""
        if not self._thread.is_alive():
            self._wanted.set()
            self._thread.start()

    def stop(self) -> None:
        """End the thread after the heartbeat in hand."""
        self._stopping.set()
        self._wanted.set()

    def soon(self) -> int:
        """Write a heartbeat now; never blocks. The number, for `told`, of the one that says what is so now."""
        with self._beaten:
            # One that is under way may have looked before the news.
            number = self._beats + (2 if self._beating else 1)
        self._wanted.set()
        return number

    def told(self, number: int, seconds: float) -> None:
        """Return once the heartbeat of that number is over, answered or not, or after so long."""
        with self._beaten:
            self._beaten.wait_for(lambda: self._beats >= number, timeout=seconds)

    def refresh(self, seconds: float) -> None:
        """Write a heartbeat now and wait for its end, at most so long.

        Only one caller waits at a time, the others return at once: strangers must not hold every web thread.
        """
        if not self._refreshing.acquire(blocking=False):
            return
        try:
            self.told(self.soon(), seconds)
        finally:
            self._refreshing.release()

    def beat(self) -> None:
        """One heartbeat. Raises: KvUnavailable, Conflict, NotUnderstood: it was not answered."""
        reason = self._not_up()
        registration = Registration(
            url=self._url,
            certificate=self._certificate,
            version=self._version,
            contract=CONTRACT,
            oldest_contract=OLDEST_CONTRACT,
            reason=reason or "",
        )
        if reason is None:  # else nothing is known yet of what KV holds
            with self._comparing:
                registration = replace(
                    registration,
                    published=self._comparison.begin(self._rotations.held()),
                    lacking=self._comparison.lacking,
                    changing=self._rotations.changing(),
                )
        path = f"{self._settings.mount}/sidecar/{self._settings.instance}"
        answer = _understood(self._vault.write(path, to_stored(registration)))
        self._take(answer)
        if reason is None:
            self._serve_answer(answer, registration.lacking)

    def _take(self, answer: RegistrationAnswer) -> None:
        key = _key(answer.public_key)
        self._rotations.mount = answer.mount.strip("/")
        if self.trust is None:
            log.info("registered", mount=answer.mount, plugin=answer.version)
        if self.trust is None or self.trust.public_key != key:
            with self._comparing:
                self._comparison.forget()
        self.trust = Trust(answer.accessor, key)
        self._fault, self._answered_at = None, self._clock.monotonic()

    def _serve_answer(self, answer: RegistrationAnswer, said: int | None) -> None:
        if not self._is_registered:
            self._is_registered = True
            self._registered()
        if answer.due:
            self._beside("due", partial(self._serve, answer.due))
        with self._comparing:
            self._comparison.take(answer.differing, answer.held)
            lacking, unfinished = self._comparison.lacking, self._comparison.unfinished
            ahead = self._comparison.ahead
            batch = self._comparison.next(COPIES_AT_ONCE)
        if ahead:
            self._beside("ahead", partial(self._rotations.copies_ahead, ahead))
        if batch:
            # What was tried in vain is tried again with the next heartbeat, and not at once.
            onward = unfinished or said is None or (lacking or 0) < said
            self._beside("republish", partial(self._push, batch, onward=onward))
        if lacking != said or (unfinished and answer.held and not batch):
            self.soon()  # so that the mount knows, or tells the rest

    def _beside(self, name: str, work: Callable[[], None]) -> None:
        """Do what may take longer than a sidecar may stay silent; what is passed over comes with a later answer."""
        known = self._helpers.get(name)
        if known is None or not known.is_alive():
            self._helpers[name] = threading.Thread(target=work, name=name, daemon=True)
            self._helpers[name].start()

    def _serve(self, marks: Iterable[DueMark]) -> None:
        for mark in marks:
            try:
                begun = self._rotations.request(mark.role, mark.cause, mark.version, mark.rotation_id, mark.caller)
            except Exception:
                log.exception("due_mark_failed", role=mark.role)
                continue
            if begun:
                log.info("due_mark_served", role=mark.role, version=mark.version)

    def _push(self, roles: Sequence[str], *, onward: bool) -> None:
        log.info("republishing", roles=len(roles))
        with ThreadPoolExecutor(HANDS, thread_name_prefix="republish") as pool:
            handing = [pool.submit(self._rotations.republish, roles[hand::HANDS]) for hand in range(HANDS)]
        failures = [failure for failure in (hand.exception() for hand in handing) if failure is not None]
        if failures:
            log.error("republish_failed", exc_info=failures[0])
            return
        with self._comparing:
            self._comparison.handed_over(roles)
        if onward:
            self.soon()

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._clock.wait(self._wanted, BEAT_SECONDS)
            self._wanted.clear()
            if self._stopping.is_set():
                return
            with self._beaten:
                self._beating = True
            try:
                self.beat()
            except (KvUnavailable, Conflict, NotUnderstood) as exc:
                self._fault = str(exc)
                log.warning("heartbeat_failed", reason=self._fault, remedy=getattr(exc, "remedy", None))
            except Exception:
                self._fault = "the heartbeat failed"
                log.exception("heartbeat_failed")
            with self._beaten:
                self._beats += 1
                self._beating = False
                self._beaten.notify_all()
            self._clock.wait(self._stopping, APART_SECONDS)


class NotUnderstood(Exception):  # noqa: N818 - the state of the other half
    """The plugin's answer does not fit this release."""


def _key(pem: str) -> Ed25519PublicKey:
    try:
        key = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as exc:
        raise NotUnderstood("the plugin's key cannot be read") from exc
    if not isinstance(key, Ed25519PublicKey):
        raise NotUnderstood("the plugin's key is not of the kind Ed25519")
    return key


def _understood(data: Mapping[str, Any]) -> RegistrationAnswer:
    try:
        answer = RegistrationAnswer.from_data(data)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise NotUnderstood("what answers at the mount is not this engine's plugin") from exc
    if answer.contract < OLDEST_CONTRACT:
        raise NotUnderstood(
            f"the plugin speaks contract {answer.contract}, and this sidecar {OLDEST_CONTRACT} or later: "
            "upgrade the plugin"
        )
    return answer
