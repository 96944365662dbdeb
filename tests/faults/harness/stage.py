"""A stack whose parties only reach each other through our lines, and the roles that live on it."""

import contextlib
import secrets
import shutil
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from faults.harness.calls import Call, call_to_org, call_to_vault, username
from faults.harness.plan import Shape, kind_of
from faults.harness.relay import HttpLine, Line, Loop
from faults.harness.script import Script
from product import Product
from snapshots import bao

from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

LIBFAKETIME: Final = "libfaketime"  # of PyPI; Debian 12's own build fails each `time.sleep` of Python 3.11
SNAPSHOTS_KEPT: Final = 2
APART: Final = "+9"  # seconds; a day apart it would take no request, and said so
SMALL_DISK: Final = "96m"
THREADS: Final = 48
_ROOM: Final = {"VAULT_SALESFORCE_SLOTS": "128", "VAULT_SALESFORCE_WEB_THREADS": "48"}
LOOK_SECONDS: Final = 0.25  # between two looks at one of some hundred roles
NO_LEASE, UNKNOWN = -1, -2
_AT_ONCE: Final = 6  # roles that are made at once
_TRUSTED: Final = {"login_ranges": ["127.0.0.1"]}


@dataclass
class Role:
    """A role of the stage, and what was seen of it.

    Attributes:
        number: Its place in the plan; a role that was given up has a successor in the same place.
        kind: See `plan.KINDS`.
        name: Of the role, and of its user.
        checked_version: KV versions up to this one were looked at.
        unproven: KV versions of this round that never logged in.
        known_password: What a person set in Salesforce, if somebody did.
        loose_at: KV version that somebody holds under a lease whose end was never heard of; `UNKNOWN`: the present one.
        queued: Id of an acknowledged rotation that begins once the role is well again.
        told_nobody: What a person who did something in Salesforce would hand in, in this order.
    """

    number: int
    kind: str
    name: str
    checked_version: int = 0
    unproven: set[int] = field(default_factory=set)
    known_password: str = field(default="", repr=False)
    loose_at: int = NO_LEASE
    queued: str = ""
    told_nobody: list[str] = field(default_factory=list)

    @property
    def username(self) -> str:
        """Its user."""
        return username(self.name)


def missing(shape: Shape) -> str:
    """Why this machine cannot carry a shape; "" it can."""
    if shape.needs == "libfaketime" and find_spec(LIBFAKETIME) is None:
        return f"{LIBFAKETIME} is not there (.venv/bin/pip install {LIBFAKETIME}, which compiles it)"
    if shape.needs == "mount":
        place = Path("/tmp") / f"vault-salesforce-try-{secrets.token_hex(4)}"  # noqa: S108 - an empty directory
        place.mkdir()
        try:
            done = subprocess.run(_mount(place, "1m"), capture_output=True, text=True, check=False)
            if done.returncode:
                return f"a small disk cannot be mounted: {done.stderr.strip()}"
            subprocess.run(("umount", str(place)), check=True)  # noqa: S607 - the system's own
        finally:
            place.rmdir()
    return ""


def _faketime_library() -> Path:
    spec = find_spec(LIBFAKETIME)
    if spec is None or spec.origin is None:
        raise FileNotFoundError(LIBFAKETIME)
    return Path(spec.origin).parent / "vendor" / "libfaketime" / "src" / "libfaketime.so.1"


def _mount(place: Path, size: str) -> tuple[str, ...]:
    return ("mount", "-t", "tmpfs", "-o", f"size={size}", "vault-salesforce-faults", str(place))


class Stage:
    """The running product with a line between any two of its parties; a context manager.

    Args:
        shape: What it is made of.
        roles: How many.
        tell: Called with a sentence when a part was started again.

    Attributes:
        stack: The product.
        vault, org: The server's API for the root token and the org's control port, past our lines.
        script: What happens to calls.
        to_server: From each sidecar to the server.
        to_sidecar: From the server to each sidecar.
        to_org: From the sidecars to the org.
        roles: By number.
    """

    def __init__(self, shape: Shape, roles: int, tell: Callable[[str], None] = lambda _: None) -> None:
        self.shape = shape
        self.script = Script()
        self._known: dict[str, str] = {}
        self._count = roles
        self._disk = shape.small_disk
        self.threads = ThreadPoolExecutor(THREADS, thread_name_prefix="faults")
        self._clock_files: list[Path] = []
        self._snapshots: list[Path] = []
        self.stack = Stack(tell, sidecars=shape.sidecars, sidecar_environment=_ROOM)
        self.roles: list[Role] = []

    def __enter__(self) -> Self:
        try:
            self._start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        if self._disk:
            subprocess.run(_mount(self.server_directory, SMALL_DISK), check=True)
        self.stack.start()
        self.vault = self.stack.vault.api(self.stack.vault.root_token)
        self.org = self.stack.orgsim.control()
        self.loop = Loop()
        mounts = self.stack.mounts
        self.to_org = HttpLine(
            self.loop,
            lambda: _place(self.stack.orgsim.url),
            self.script,
            lambda method, target, head, body: call_to_org(method, target, head, body, self._known),
            self._opened,
        )
        self.to_server = [
            HttpLine(
                self.loop,
                lambda: _place(self.stack.vault.address),
                self.script,
                lambda method, target, _head, _body: call_to_vault(method, target, mounts),
            )
            for _ in self.stack.sidecars
        ]
        self.to_sidecar = [
            Line(self.loop, lambda sidecar=sidecar: _place(sidecar.url)) for sidecar in self.stack.sidecars
        ]
        self._adopt([f"http://127.0.0.1:{line.port}" for line in self.to_server])
        for number, sidecar in enumerate(self.stack.sidecars):
            sidecar.stop()
            more = {"VAULT_SALESFORCE_ADVERTISED_URL": f"https://127.0.0.1:{self.to_sidecar[number].port}"}
            if self.shape.clock:
                more |= self._clock_of(number)
            sidecar._environment = {**sidecar._environment, **more}
            sidecar.restart([f"http://127.0.0.1:{self.to_server[number].port}"])
        self._connect()
        with ThreadPoolExecutor(_AT_ONCE) as few:
            self.roles = list(few.map(self.make_role, range(self._count)))

    @property
    def server_directory(self) -> Path:
        """Where the server keeps everything."""
        return self.stack.directory / "vault"

    def save(self) -> None:
        """Take a snapshot of the server."""
        file = self.stack.directory / f"{secrets.token_hex(4)}.snap"
        self._snapshot("save", file)
        self._snapshots.append(file)
        for old in self._snapshots[:-SNAPSHOTS_KEPT]:
            old.unlink()
        del self._snapshots[:-SNAPSHOTS_KEPT]

    def restore(self, rounds_ago: int) -> None:
        """Everything in the server is as it was when a snapshot was taken: before this round, or the oldest kept."""
        self._snapshot("restore", self._snapshots[-min(1 + rounds_ago, len(self._snapshots))])

    def _snapshot(self, what: str, file: Path) -> None:
        bao(Product(self.stack), "operator", "raft", "snapshot", what, str(file))

    def set_clock(self, number: int, offset: str) -> None:
        """Set one sidecar's time of day apart from the machine's, such as `+1d`; heard of within a second."""
        self._clock_files[number].write_text(f"{offset}\n")

    def _clock_of(self, number: int) -> Mapping[str, str]:
        file = self.stack.directory / f"clock-{number + 1}"
        file.write_text(f"{APART}\n" if number else "+0\n")
        self._clock_files.append(file)
        return {
            "LD_PRELOAD": str(_faketime_library()),
            "FAKETIME_TIMESTAMP_FILE": str(file),
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
            "FAKETIME_CACHE_DURATION": "1",
        }

    def _adopt(self, addresses: list[str]) -> None:
        """It is that very Vault under other addresses, the operator says: a sidecar acts nowhere else."""
        path = "v1/salesforce-engine/data/owner"
        owner = self.vault.ask("GET", path).data
        known = owner["data"] | {"addresses": [*owner["data"]["addresses"], *addresses]}
        self.vault.ask("POST", path, {"data": known, "options": {"cas": owner["metadata"]["version"]}})

    def _connect(self) -> None:
        """Three connections: one without an identity, an app that speaks for its users, an administrator."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        private, public = serialization.PrivateFormat.PKCS8, serialization.PublicFormat.SubjectPublicKeyInfo
        self._key = key.private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption()).decode()
        self._public = key.public_key().public_bytes(serialization.Encoding.PEM, public).decode()
        self.org.ask("PATCH", "org", {"profile_policies": {"Fragile": {"max_login_attempts": 5}}})
        self.admin = f"admin-{secrets.token_hex(4)}"
        admin_password = password()
        user = {"username": username(self.admin), "password": admin_password, "manage_users": True} | _TRUSTED
        self.org.ask("POST", "users", user)
        usual = {"login_url": f"http://127.0.0.1:{self.to_org.port}", "allowed_roles": ["*"]}
        mail = {"mailbox": f"maildir:{self.stack.orgsim.mail}", "sidecar_address": "untrusted"}
        identity = {"auth_method": "password", "username": username(self.admin), "password": admin_password}
        identity |= {"admin_may_rotate": ["*"]}
        for name, more in (("token", mail), ("trusted", {}), ("admin", identity)):
            self.vault.ask("POST", f"v1/sf/config/{name}", usual | more)
        self._usual = usual

    def make_role(self, number: int) -> Role:
        """A new user with a role, at version 1."""
        role = Role(number, kind_of(number), f"fx-{secrets.token_hex(4)}")
        first = password()
        user = {"username": role.username, "password": first, "profile": "Fragile"}
        user |= {"ever_reset_token_manually": True} if role.kind == "token" else _TRUSTED
        made = self.org.ask("POST", "users", user).body
        self._known[str(made["id"])[:15]] = role.name
        fields: dict[str, Any] = {"config": role.kind, "username": role.username, "lease_rotation_interval": 0}
        if role.kind == "token":
            fields |= {"password": first, "security_token_from": "mailbox"}
        elif role.kind == "trusted":
            fields |= {"password": first}
        elif role.kind == "app":
            fields |= {"config": self._app_for(role), "password": first, "self_login": "jwt_bearer"}
        else:
            fields |= {"password": first, "self_managed": False}
        until(lambda: self._made(role, fields), f"a place for {role.name}", 60, LOOK_SECONDS)
        if role.kind == "token":
            until(lambda: self._exists(role), f"{role.name} itself", 60, LOOK_SECONDS)
            self.org.ask("POST", f"users/{role.username}/reset-security-token")
        until(lambda: self.version(role) == 1, f"version 1 of {role.name}", 60, LOOK_SECONDS)
        return role

    def _made(self, role: Role, fields: Mapping[str, Any]) -> bool:
        answer = self.vault.send("POST", f"v1/sf/static-roles/{role.name}", fields)
        if answer.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):  # nothing was done
            return False
        if answer.status == HTTPStatus.FAILED_DEPENDENCY and answer.body.get("code") == "outcome_unknown":
            return True  # whether it is at version 1 is looked at next
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise RuntimeError(f"{role.name} was not made: {answer.status} {answer.sentences}")
        return True

    def _exists(self, role: Role) -> bool:
        return self.vault.send("GET", f"v1/sf/static-roles/{role.name}").status == HTTPStatus.OK

    def version(self, role: Role) -> int:
        """What the engine serves."""
        return int(self.vault.send("GET", f"v1/sf/version/{role.name}").data.get("version") or 0)

    def _app_for(self, role: Role) -> str:
        """Each user has an app and a connection of its own: an app is told beforehand whom it may speak for."""
        app = {"client_id": f"app-{role.name}", "certificate": self._public, "preauthorized_users": [role.username]}
        self.org.ask("POST", "apps", app)
        connection = {"client_id": app["client_id"], "private_key": self._key}
        self.vault.ask("POST", f"v1/sf/config/{role.name}", self._usual | connection)
        return role.name

    def _opened(self, session: str, call: Call) -> None:
        if call.subject:
            self._known[session] = call.subject

    def close(self) -> None:
        """End everything."""
        with contextlib.ExitStack() as last_first:
            if self._disk:
                last_first.callback(subprocess.run, ("umount", "-l", str(self.server_directory)), check=False)
            last_first.callback(self.threads.shutdown)
            if hasattr(self, "loop"):
                last_first.callback(self.loop.close)
                for line in (*self.to_server, *self.to_sidecar, self.to_org):
                    last_first.callback(line.close)
            last_first.callback(self.stack.stop)


def password() -> str:
    """A password as a person would not make one."""
    return f"Start-1-{secrets.token_urlsafe(12)}"


def _place(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or 0


def free_bytes(directory: Path) -> int:
    """Room left on the disk of a directory."""
    return shutil.disk_usage(directory).free
