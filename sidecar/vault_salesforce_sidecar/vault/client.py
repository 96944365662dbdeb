"""Vault as the sidecar uses it: KV, its own token, password policies, and writes to the mount."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import stamina
import urllib3
from hvac import exceptions as hvac_exceptions

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.store import Conflict, KvUnavailable, KvVersion
from vault_salesforce_sidecar.vault.recent import LAG_SECONDS, LOOK_SECONDS, Recent
from vault_salesforce_sidecar.vault.servers import Servers
from vault_salesforce_sidecar.vault.transport import CALL_SECONDS, NotVault, open_client

_NEVER = threading.Event()
Taken = TypeVar("Taken")
CAS_MISMATCH = "check-and-set parameter did not match"


class VaultRefused(KvUnavailable):
    """Vault answered and refused: an answer of class 400, 403 or 404. Nothing was done.

    Args:
        status: The answer's status.
        errors: What Vault said.
    """

    def __init__(self, sentence: str, remedy: str | None, status: int, errors: tuple[str, ...]) -> None:
        super().__init__(sentence, remedy, nothing_done=True)
        self.status = status
        self.errors = errors


@dataclass(frozen=True)
class Token:
    """A token as Vault describes it.

    Attributes:
        text: The token.
        ttl_seconds: How long it lives from now; 0 for ever.
        renewable: Whether it can be renewed.
    """

    text: SecretStr
    ttl_seconds: int
    renewable: bool


class Vault:
    """One server, in one namespace, with the token of this sidecar's login.

    Thread-safe. Every call is sent once, reads at most three times, and raises `KvUnavailable`.

    Args:
        pool: From `transport.open_pool`.
        addr: The server's address.
        namespace: Namespace of all that is asked; "" is the root.
        others: Addresses of the other nodes of its cluster.
    """

    def __init__(
        self, pool: urllib3.PoolManager, addr: str, namespace: str = "", *, others: Sequence[str] = ()
    ) -> None:
        self._servers = Servers(pool, (addr, *others))
        self.client = open_client(pool, self._servers, namespace)
        self._addr = ", ".join((addr, *others))
        self.forbidden: Callable[[], None] = lambda: None  # told of each 403: the token may have ended

    def kv(self, mount: str) -> "KvMount":
        """The KV v2 mount at `mount`."""
        return KvMount(self, mount)

    def is_active(self) -> bool:
        """Whether the node that answers is its cluster's active one."""
        return self._servers.first_is_active()

    def read(self, path: str) -> Mapping[str, Any] | None:
        """The `data` at a path; None where there is nothing."""
        return self.repeated(
            "read",
            path,
            lambda: _found(lambda: self.client.adapter.get(f"/v1/{path}"), lambda answer: _object(answer["data"])),
        )

    def write(self, path: str, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write JSON to a path; the answer's `data`, empty where it has none."""
        with self.translated("write", path):
            answer = self.client.write_data(path, data=dict(data))
            return _taken(answer, lambda answer: _object((answer or {}).get("data")) or {})

    def password_from_policy(self, policy: str) -> SecretStr:
        """A password of Vault's password policy of that name. Raises: VaultRefused: 404, there is none."""
        path = f"sys/policies/password/{policy}/generate"
        try:
            data = self.read(path)
        except VaultRefused as exc:
            if exc.status != HTTPStatus.NOT_FOUND:
                raise
            data = None
        if data is None:
            raise VaultRefused(
                f"Vault has no password policy {policy!r}",
                "create it, or name another one in the role's password_policy",
                HTTPStatus.NOT_FOUND,
                (),
            )
        with self.translated("read", path):
            return _taken(data, lambda data: SecretStr(data["password"]))

    def use(self, token: SecretStr) -> None:
        """Use this token from the next call on."""
        self.client.adapter.token = token

    def log_in(self, mount: str, **given: str) -> Token:
        """Log in at an auth method, once. The token is not yet used. Raises: VaultRefused: it was not let in."""
        with self.translated("login", f"auth/{mount}/login"):
            answer = self.client.adapter.post(f"/v1/auth/{mount}/login", json=given)
            return _taken(answer, lambda answer: _token(answer["auth"], "client_token", "lease_duration"))

    def look_up_wrapping(self, token: SecretStr) -> Mapping[str, Any]:
        """What a wrapping token wraps: `creation_path`, `creation_time`, `creation_ttl`. It stays as it was.

        Raises: VaultRefused: it was unwrapped before, or its time is over.
        """
        return self.write("sys/wrapping/lookup", {"token": token.reveal()})

    def unwrap(self, token: SecretStr) -> Mapping[str, Any]:
        """What a wrapping token wraps: the `data`, which nobody gets a second time. Raises: as `look_up_wrapping`."""
        with self.translated("unwrap", "sys/wrapping/unwrap"):
            # As a token of its own, and never the one in use: any other request with it would spend it.
            answer = self.client.adapter.post("/v1/sys/wrapping/unwrap", headers={"X-Vault-Token": token.reveal()})
            return _taken(answer, lambda answer: _object(answer["data"]) or {})

    def look_up(self, token: SecretStr) -> Token:
        """What Vault knows of the token in use. Raises: VaultRefused: it has ended."""
        return self.repeated(
            "read",
            "auth/token/lookup-self",
            lambda: _taken(
                self.client.auth.token.lookup_self(),
                lambda answer: _token({"id": token, **answer["data"]}, "id", "ttl"),
            ),
        )

    def renew(self) -> Token:
        """Renew the token in use. Raises: VaultRefused: it has ended, or cannot be renewed."""
        with self.translated("update", "auth/token/renew-self"):
            answer = self.client.auth.token.renew_self()
            return _taken(answer, lambda answer: _token(answer["auth"], "client_token", "lease_duration"))

    @contextmanager
    def translated(self, operation: str, path: str) -> Iterator[None]:
        """Say in our own words what hvac and urllib3 say of one call. Raises: Conflict, KvUnavailable."""
        try:
            yield
        except hvac_exceptions.VaultError as exc:
            errors = tuple(str(error) for error in exc.errors or ())
            if any(CAS_MISMATCH in error for error in errors):
                raise Conflict(path) from None
            if isinstance(exc, hvac_exceptions.Forbidden):
                self.forbidden()
            raise _refusal(exc, errors, operation, path) from exc
        except urllib3.exceptions.HTTPError as exc:
            raise KvUnavailable(
                f"Vault at {self._addr} gave no answer to {operation} {path} ({_reason(exc)})",
                "see that the server runs, and that its address, port and certificate authority are set right",
                nothing_done=isinstance(exc, _NOT_SENT),
            ) from exc

    def repeated(self, operation: str, path: str, call: Callable[[], Taken]) -> Taken:
        """A read, repeated where the connection broke: a pooled one may have been closed by the server."""
        with self.translated(operation, path):
            for attempt in stamina.retry_context(
                on=(urllib3.exceptions.ProtocolError, urllib3.exceptions.NewConnectionError),
                attempts=3,
                timeout=5.0,
                wait_initial=0.05,
                wait_max=0.5,
                wait_jitter=0.05,
            ):
                with attempt:
                    return call()
        raise AssertionError("stamina ends with the last attempt's error")


class KvMount:
    """One KV v2 mount; see `store.Kv`.

    Whoever talks to a standby reads what that holds, which lags behind; here, nobody reads less than they wrote.
    """

    def __init__(self, vault: Vault, mount: str) -> None:
        self._vault, self._mount = vault, mount
        self._kv = vault.client.secrets.kv.v2
        self._recent = Recent()

    def read(self, path: str) -> KvVersion | None:
        """See `store.Kv.read`."""
        end = time.monotonic() + LAG_SECONDS
        while self._recent.is_stale(path, _number(found := self._read(path))):
            if time.monotonic() > end:
                self._check_active(path)
                found = self._read(path)
                self._recent.forget(path)
                break
            _NEVER.wait(LOOK_SECONDS)
        return found

    def _read(self, path: str) -> KvVersion | None:
        def call() -> KvVersion | None:
            return _found(
                lambda: self._kv.read_secret_version(path, mount_point=self._mount, raise_on_deleted_version=True),
                _version,
            )

        return self._vault.repeated("read", f"{self._mount}/data/{path}", call)

    def write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        """See `store.Kv.write`.

        A standby compares `cas` with its own copy before it passes a write on. So a mismatch is only believed once a
        later version can be read; until then the write, which was refused, is sent again.
        """
        end = time.monotonic() + LAG_SECONDS
        while True:
            try:
                version = self._write(path, data, cas)
                break
            except Conflict:
                newest = _number(self._read(path))
                if newest > cas:
                    self._recent.knows(path, newest)
                    raise
                if time.monotonic() > end:
                    if 0 < newest < cas:
                        self._check_active(path)
                    if newest < cas:
                        self._recent.forget(path)
                    raise
                _NEVER.wait(LOOK_SECONDS)
        self._recent.knows(path, version)
        return version

    def _check_active(self, path: str) -> None:
        """Raises KvUnavailable unless the active node answers: what that holds is all there is, since a restore."""
        if not self._vault.is_active():
            raise KvUnavailable(
                f"the Vault node that answers does not know the newest version of {self._mount}/{path} yet",
                "see whether the cluster has an active node",
            )

    def _write(self, path: str, data: Mapping[str, Any], cas: int) -> int:
        with self._vault.translated("write", f"{self._mount}/data/{path}"):
            answer = self._kv.create_or_update_secret(path, dict(data), cas=cas, mount_point=self._mount)
            return _taken(answer, lambda answer: int(answer["data"]["version"]))

    def set_metadata(
        self, path: str, *, max_versions: int | None = None, custom_metadata: Mapping[str, str] | None = None
    ) -> None:
        """See `store.Kv.set_metadata`."""
        with self._vault.translated("write", f"{self._mount}/metadata/{path}"):
            self._kv.update_metadata(
                path,
                max_versions=max_versions,
                custom_metadata=None if custom_metadata is None else dict(custom_metadata),
                mount_point=self._mount,
            )

    def list(self, prefix: str) -> list[str]:
        """See `store.Kv.list`."""

        def call() -> list[str] | None:
            return _found(lambda: self._kv.list_secrets(prefix, mount_point=self._mount), _keys)

        return self._vault.repeated("list", f"{self._mount}/metadata/{prefix}", call) or []

    def configuration(self) -> Mapping[str, Any]:
        """The mount's own settings: `cas_required`, `delete_version_after`, `max_versions`."""
        return self._vault.read(f"{self._mount}/config") or {}


def _number(newest: KvVersion | None) -> int:
    return newest.version if newest else 0


def _found(call: Callable[[], Any], take: Callable[[Any], Taken]) -> Taken | None:
    """What is taken of the answer, also of a 404: a deleted version's metadata, or None where nothing is there."""
    try:
        answer = call()
    except hvac_exceptions.InvalidPath as exc:
        if exc.errors:  # there is no such mount
            raise
        answer = exc.json
        if not (answer or {}).get("data"):
            return None
    return _taken(answer, take)


def _taken(answer: Any, take: Callable[[Any], Taken]) -> Taken:
    """What is taken of an answer. Raises: NotVault: it has another shape than Vault's."""
    try:
        return take(answer)
    except (KeyError, TypeError, ValueError, AttributeError) as exc:
        raise NotVault from exc


def _object(value: Any) -> Mapping[str, Any] | None:
    if value is None or isinstance(value, Mapping):
        return value
    raise TypeError("not an object")


def _version(answer: Any) -> KvVersion:
    data, metadata = answer["data"], answer["data"]["metadata"]
    return KvVersion(_object(data.get("data")), int(metadata["version"]), metadata.get("custom_metadata") or {})


def _keys(answer: Any) -> list[str]:
    keys = answer["data"]["keys"]
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise TypeError("not names")
    return keys


def _token(auth: Mapping[str, Any], text: str, ttl: str) -> Token:
    return Token(SecretStr(auth[text]), int(auth.get(ttl) or 0), bool(auth.get("renewable")))


_NOT_SENT = (urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError)


def _reason(exc: urllib3.exceptions.HTTPError) -> str:
    if isinstance(exc, NotVault):
        return "what answers there is not Vault"
    if isinstance(exc, urllib3.exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(exc, _NOT_SENT):
        return "no connection"
    if isinstance(exc, urllib3.exceptions.TimeoutError):
        return f"not within {CALL_SECONDS:.0f} s"
    return "the connection broke"


def _refusal(exc: hvac_exceptions.VaultError, errors: tuple[str, ...], operation: str, path: str) -> KvUnavailable:
    said = " ".join(("; ".join(errors) or str(exc.args[0])).split())  # what a plugin says there has lines
    match exc:
        case hvac_exceptions.Forbidden():
            return VaultRefused(
                f"Vault forbids {operation} {path}",
                f"let the sidecar's policy grant {operation} on {path}, and see that its login has not ended",
                403,
                errors,
            )
        case hvac_exceptions.InvalidPath():
            return VaultRefused(
                f"Vault has nothing at {path}: {said}",
                "see that the mounts exist in the sidecar's namespace",
                404,
                errors,
            )
        case hvac_exceptions.InvalidRequest():
            return VaultRefused(f"Vault refused {operation} {path}: {said}", None, 400, errors)
        case hvac_exceptions.VaultDown() if "sealed" in said.lower():
            return KvUnavailable("Vault is sealed", "unseal it", nothing_done=True)
        case hvac_exceptions.RateLimitExceeded():
            remedy = "raise its quota for the sidecar"
            return KvUnavailable("Vault limits the rate of requests", remedy, nothing_done=True)
    return KvUnavailable(
        f"Vault did not do {operation} {path}: {said}", "see the server's log, and whether it is active"
    )
