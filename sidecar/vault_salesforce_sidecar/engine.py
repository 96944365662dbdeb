"""Engine: builds and owns all that one sidecar runs, and brings it up and down in order."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import structlog

from vault_plugin_sdk.framework.fields import declared, from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_contract.forwarding import NOT_UP, STOPPING
from vault_salesforce_contract.published import PublishedCredential
from vault_salesforce_contract.shares import NoPlace, Shares
from vault_salesforce_sidecar.claims import ACCOUNT, Claims
from vault_salesforce_sidecar.clock import Clock, SystemClock
from vault_salesforce_sidecar.diagnosis.diagnosis import Diagnosis
from vault_salesforce_sidecar.mailbox.mail import Mailbox
from vault_salesforce_sidecar.mailbox.opening import Mailboxes, check_mailbox
from vault_salesforce_sidecar.metrics import Metrics
from vault_salesforce_sidecar.rotation.handed_in import HandedIn
from vault_salesforce_sidecar.rotation.machine import Secret
from vault_salesforce_sidecar.rotation.mending import Mending
from vault_salesforce_sidecar.rotation.parts import Parts, PushFailed
from vault_salesforce_sidecar.rotation.passwords import unfit
from vault_salesforce_sidecar.rotation.renaming import Renaming
from vault_salesforce_sidecar.rotation.revealing import Revealing
from vault_salesforce_sidecar.rotation.start import Rotations
from vault_salesforce_sidecar.rotation.ticker import Ticker
from vault_salesforce_sidecar.salesforce.hosts import origin_of
from vault_salesforce_sidecar.salesforce.lines import Proxy
from vault_salesforce_sidecar.salesforce.org import Orgs
from vault_salesforce_sidecar.salesforce.probe import probe
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.settings import Settings
from vault_salesforce_sidecar.standing import Standing
from vault_salesforce_sidecar.store import Kv, KvUnavailable, Store
from vault_salesforce_sidecar.vault import mounts, ownership
from vault_salesforce_sidecar.vault.client import Vault, VaultRefused
from vault_salesforce_sidecar.vault.login.keeper import Login
from vault_salesforce_sidecar.vault.register import Registrar
from vault_salesforce_sidecar.vault.transport import open_pool

log = structlog.get_logger(__name__)

SCHEMA = 1
STOP_SECONDS = 20.0  # less than gunicorn gives a worker
RETRY_SECONDS = 2.0
WATCH_SECONDS = 1.0
ANNOUNCE_SECONDS = 1.0  # that a change waits for the plugin to hear of it: one that is away delays no rotation
SPARE_CONNECTIONS = 8  # login, heartbeat, ticker, republish

Record = TypeVar("Record")


class Engine:
    """All that one sidecar is. Building it opens nothing; it must be built after the fork.

    Args:
        settings: What it was told.
        url: Where the plugin reaches it.
        certificate: PEM of the certificate that is served there.
        version: Release of the sidecar.
        clock: Time.
        registered: Called when the plugin has answered the first heartbeat.

    Attributes:
        claims, connections, roles: What is stored besides rotations.
        rotations, handed_in, mending, renaming, revealing, diagnosis: The doers.
        registrar: Knows the plugin.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        url: str,
        certificate: str,
        version: str,
        clock: Clock | None = None,
        registered: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self._url = url
        first, *others = settings.vault_addr
        connections = settings.slots + settings.web_threads + SPARE_CONNECTIONS
        pool = open_pool(settings.vault_ca_cert, connections, len(settings.vault_addr))
        self.vault = Vault(pool, first, settings.vault_namespace, others=others)
        self.login = Login(self.vault, settings, self.clock, logged_in=self._logged_in)
        engine_kv = self.vault.kv(settings.engine_kv_mount)
        # A secret that was replaced, or whose connection was deleted, is in no earlier version either.
        self.connections = _store(engine_kv, "config", Config, max_versions=1)
        self.roles = _store(engine_kv, "static-roles", StaticRole)
        self._mailboxes = Mailboxes(settings.mailbox_root, self.clock, self._mail_arrived)
        proxy = _proxy(settings)
        self._orgs = Orgs(self.clock, engine_kv, proxy=proxy)
        self.claims = Claims(engine_kv, self.clock, self._holds)
        parts = Parts(
            engine_kv=engine_kv,
            creds_kv=self.vault.kv(settings.kv_mount),
            roles=self.roles,
            connections=self.connections,
            open_org=self._orgs.open,
            open_mailbox=self.open_mailbox,
            password_from_policy=self.vault.password_from_policy,
            push=self._push,
            changed=self._changed,
            announced=self._announced,
            clock=self.clock,
            instance=settings.instance,
            kv_mount=settings.kv_mount,
            counted=self._counted,
            kept_for=timedelta(seconds=settings.kept_for),
            served=self._served,
        )
        self.rotations = Rotations(parts, slots=settings.slots)
        self.diagnosis = Diagnosis(
            parts,
            self.rotations,
            reach=lambda config: probe(config, proxy, self.clock.now),
            kv_faults=lambda: mounts.faults(self.vault, settings),
        )
        self.handed_in = HandedIn(self.rotations)
        self.mending = Mending(self.rotations)
        self.renaming = Renaming(self.rotations)
        self.revealing = Revealing(self.rotations)
        self.registrar = Registrar(
            self.vault,
            self.rotations,
            settings,
            self.clock,
            url=url,
            certificate=certificate,
            version=version,
            fault=lambda: self._fault,
            registered=registered,
        )
        self._standing = Standing(settings.state_directory, self.clock)
        self._ticker = Ticker(self, self.clock)
        self._places = Shares(settings.waiting_places)
        self._stopping = threading.Event()
        self._fault: str | None = "starting"
        # Not a daemon: the process ends only after rotations have come to a durable state.
        self._thread = threading.Thread(target=self._run, name="engine")
        self.metrics.watch(in_hand=lambda: len(self.rotations.changing()), ready=lambda: not self.unready())

    def start(self) -> None:
        """Come up as soon as Vault allows it; returns at once."""
        self.login.start()
        self._thread.start()

    def begin_stop(self) -> None:
        """Come down: rotations stop at a durable state. Only sets a flag, so that a signal's handler may call it."""
        self._stopping.set()

    def stop(self) -> None:
        """Come down, and wait for it."""
        self.begin_stop()
        self._thread.join(STOP_SECONDS + RETRY_SECONDS)

    def tick(self) -> None:
        """Look after what time brings."""
        self.rotations.tick()
        self._standing.note(self.rotations.journal_writes())

    def unready(self) -> str | None:
        """Why requests are not, or not fully, answered: the one thing to mend first; None while they are."""
        if self._stopping.is_set():
            return "stopping"
        return self.login.reason or self._fault or self.registrar.reason

    def require_up(self) -> None:
        """Raises TransientError 503 while the engine comes up or down: nothing was done."""
        if self._stopping.is_set():
            raise TransientError("this sidecar is stopping", code=STOPPING, retry_after_seconds=5)
        if self._fault:
            raise TransientError(f"this sidecar is not up: {self._fault}", code=NOT_UP, retry_after_seconds=5)

    @contextmanager
    def waiting(self, seconds: float, caller: Caller, role: str) -> Iterator[float]:
        """How long a request may wait for a rotation: `seconds`, or 0 where this caller or role gets no place."""
        if seconds <= 0:
            yield 0
            return
        try:
            give_back = self._places.take(*_whose(caller, role))
        except NoPlace:
            yield 0
            return
        try:
            yield seconds
        finally:
            give_back()

    @contextmanager
    def place(self, caller: Caller, about: str) -> Iterator[None]:
        """A place for a request that itself calls Salesforce, about this role or connection.

        Raises: TransientError 429: none is free, or those that are not are this caller's, or about the same.
        """
        try:
            give_back = self._places.take(*_whose(caller, about))
        except NoPlace as exc:
            whose = f" that are yours, or about {about!r}," if exc.own else ""
            raise TransientError(
                f"too many requests{whose} wait for Salesforce; nothing was done",
                status=HTTPStatus.TOO_MANY_REQUESTS,
                code="busy",
                retry_after_seconds=2,
            ) from exc
        try:
            yield
        finally:
            give_back()

    def user_of(self, connection: str) -> str | None:
        """A role that uses this connection, if there is one."""
        for name in self.roles.list():
            role = self.roles.get(name)
            if role is not None and role.record.config == connection:
                return name
        return None

    def store_connection(self, name: str, config: Config, version: int | None) -> None:
        """Write a connection; whoever writes it vouches for its identity, which may log in again from now on.

        Raises: Conflict, KvUnavailable.
        """
        self.connections.put(name, config, version)
        self._orgs.try_again(config)

    def require_password_policy(self, name: str) -> None:
        """Raises CallerError: 400, Vault has no such policy, or it does not do. KvUnavailable: it did not say."""
        try:
            password = self.vault.password_from_policy(name)
        except VaultRefused as exc:
            if exc.status != HTTPStatus.NOT_FOUND:
                raise
            raise CallerError(exc.sentence, remedy=exc.remedy) from exc
        if fault := unfit(password):
            raise CallerError(f"Vault's password policy {name!r} does not do for Salesforce: {fault}")

    def open_mailbox(self, config: Config) -> Mailbox | None:
        """The connection's mailbox; None where it has none. Raises: CallerError 400, the settings allow no such one."""
        return self._mailboxes.open(config)

    def check_mailbox(self, config: Config) -> None:
        """Raises CallerError 400 where the connection's mailbox could not be opened; no server is asked."""
        check_mailbox(config, self.settings.mailbox_root)

    def _run(self) -> None:
        while not self._stopping.is_set():
            fault = self._bring_up()
            if fault != self._fault:
                self._fault = fault
                self.registrar.soon()
            if fault is None:
                break
            log.warning("not_up", reason=fault)
            self.clock.wait(self._stopping, RETRY_SECONDS)
        self._stopping.wait()
        self._ticker.stop()
        self.rotations.stop(STOP_SECONDS)
        self.registrar.stop()
        self._mailboxes.stop()
        self.login.stop()
        self._orgs.close()
        log.info("stopped")

    def _bring_up(self) -> str | None:
        """Start what can only run with Vault; why it could not be, or None."""
        while not self.clock.wait(self.login.logged_in, WATCH_SECONDS):
            if self._stopping.is_set():
                return "stopping"
        self.registrar.start()  # what follows may take its time, or need a human: the mount is told of it
        try:
            faults = mounts.faults(self.vault, self.settings)
            if faults:
                return "; ".join(faults)
            written = self._standing.remembered(ownership.installation(self.vault.kv(self.settings.engine_kv_mount)))
            self.rotations.start(held=self.settings.start_held, written=written)
        except KvUnavailable as exc:
            return f"{exc.sentence}; {exc.remedy}" if exc.remedy else exc.sentence
        except Exception:
            log.exception("start_failed")
            return "the start failed: the sidecar's log says more"
        self._ticker.start()
        log.info("up", url=self._url, instance=self.settings.instance)
        return None

    def _push(self, role: str, credential: PublishedCredential) -> None:
        try:
            self.vault.write(f"{self.settings.mount}/published/{role}", to_stored(credential))
        except KvUnavailable as exc:
            raise PushFailed(exc.sentence) from exc

    def _served(self, role: str) -> tuple[Secret, int] | None:
        data = self.vault.read(f"{self.settings.mount}/static-creds/{role}") or {}
        password, token = str(data.get("password") or ""), str(data.get("security_token") or "")
        if not password:
            return None
        return Secret(SecretStr(password), SecretStr(token) if token else None), int(data["version"])

    def _counted(self, what: str, how: str) -> None:
        counter = self.metrics.logins if what == "login" else self.metrics.rotations
        counter.labels(how).inc()

    def _announced(self, number: int) -> None:
        self.registrar.told(number, ANNOUNCE_SECONDS)

    def _changed(self) -> int:
        return self.registrar.soon()

    def _mail_arrived(self) -> None:
        self.rotations.mail_arrived()

    def _logged_in(self) -> None:
        self.registrar.soon()

    def _holds(self, path: str, kind: str, what: str) -> bool:
        """Whether the record at this path is there and, where an account is claimed, is about that user."""
        where, _, name = path.partition("/")
        store: Store[Any] = self.connections if where == "config" else self.roles
        stored = store.get(name)
        return stored is not None and (kind != ACCOUNT or stored.record.username.lower() == what.lower())


def _whose(caller: Caller, about: str) -> tuple[str, str]:
    """What a place counts for: the caller may be called as a role is."""
    return f"by\0{caller.identity}" if caller.identity else "", f"about\0{about}"


def _proxy(settings: Settings) -> Proxy | None:
    """Raises: OSError, ValueError: the file with its authorities cannot be used."""
    if not settings.salesforce_proxy:
        return None
    file = settings.salesforce_proxy_ca_cert
    context = tls_context(Path(file).read_text() if file else "")
    return Proxy(origin_of(settings.salesforce_proxy), context, settings.salesforce_proxy_credentials)


def _store(kv: Kv, prefix: str, record: type[Record], max_versions: int | None = None) -> Store[Record]:
    def dump(item: Record) -> Mapping[str, Any]:
        return {"schema": SCHEMA} | to_stored(item)

    def load(data: Mapping[str, Any]) -> Record:
        if int(data.get("schema", SCHEMA)) > SCHEMA:
            raise OperatorError(
                f"a newer release wrote a record below {prefix}/: this one leaves it alone",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                remedy="run the newer release",
            )
        try:
            return from_stored(record, data)
        except (TypeError, ValueError) as exc:
            raise OperatorError(
                f"a record below {prefix}/ cannot be read: this release leaves it alone",
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                remedy="mend it by hand, or write it again",
            ) from exc

    return Store(kv, prefix, dump=dump, load=load, max_versions=max_versions, members=frozenset(declared(record)))
