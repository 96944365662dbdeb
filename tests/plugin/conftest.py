"""A mount in memory, a clock that is told the time, and a sidecar's door on a real TLS socket."""

import asyncio
import datetime as dt
import http.server
import inspect
import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any, Self
from urllib.parse import unquote

import jwt
import pytest
import trustme

from vault_plugin_sdk.framework.coerce import jsonable
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_plugin_sdk.testing import Mounted
from vault_salesforce_contract.forwarding import ALGORITHM, Claims, body_digest
from vault_salesforce_contract.registration import CONTRACT, RegistrationAnswer
from vault_salesforce_plugin.backend import SalesforceBackend
from vault_salesforce_plugin.clock import Clock
from vault_salesforce_plugin.forward import Limits
from vault_salesforce_plugin.http import Http

NOON = dt.datetime(2030, 1, 1, 12, tzinfo=dt.UTC)
LIMITS = Limits(patient_seconds=2.0, brief_seconds=1.5, all_seconds=6.0, register_seconds=(0.2, 0.05))
LONGEST_TEST_SECONDS = 20.0


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test that is a coroutine function."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}

    async def in_time() -> None:
        async with asyncio.timeout(LONGEST_TEST_SECONDS):
            await pyfuncitem.obj(**arguments)

    asyncio.run(in_time())
    return True


class FakeClock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> dt.datetime:
        return NOON + dt.timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return 1000.0 + self.seconds

    def advance(self, seconds: float) -> None:
        self.seconds += seconds


class Plugin(Mounted):
    """A mounted engine, with the moves that tests make again and again."""

    def __init__(
        self,
        clock: FakeClock,
        storage: MemoryStorage | None = None,
        *,
        standby: bool = False,
        http: Http | None = None,
    ) -> None:
        self.clock = clock
        self.engine = SalesforceBackend(Clock(clock.now, clock.monotonic), LIMITS, http)
        super().__init__(self.engine, storage=storage, standby=standby)

    async def start(self) -> Self:
        """As a server does, and until every copy is loaded, which a server does not wait for."""
        await super().start()
        if not self.engine.standby:
            await self.engine.credentials.load()
        return self

    async def publish(self, role: str = "crm", version: int = 1, **fields: Any) -> Response:
        """What a sidecar hands over."""
        whole = {
            "username": "app@example.com",
            "password": f"secret-{version}",
            "security_token": "token",
            "version": version,
            "rotation_id": f"rotation-{version}",
            "last_vault_rotation": jsonable(NOON),
            "login_url": "https://login.example.com",
        }
        return await self.ask("update", f"published/{role}", **whole | fields)

    async def register(self, instance: str = "one", **fields: Any) -> RegistrationAnswer:
        """A heartbeat."""
        given = registration(**fields)
        return RegistrationAnswer.from_data((await self.ask("update", f"sidecar/{instance}", **given)).data)

    async def ask_as(self, caller: Caller, operation: str, path: str, **data: Any) -> Response | None:
        """One request by somebody."""
        # As the server does, which leaves the accessor out of reads.
        accessor = "" if operation in ("read", "list") else "test_accessor"
        request = Request(Operation(operation), path, data, caller, mount_point="test/", mount_accessor=accessor)
        return await self.engine.handle(request)

    async def renew(self, grant: LeaseGrant) -> LeaseGrant:
        """Renew a lease; the server hands back what it was given."""
        return (await self.ask("renew", "creds/crm", lease=lease_of(grant))).lease

    async def revoke(self, grant: LeaseGrant) -> None:
        """A lease ends."""
        await self.ask("revoke", "creds/crm", lease=lease_of(grant))

    def grow_old(self) -> None:
        """Let the time pass in which a process answers for what the one before may have passed on."""
        self.clock.advance(LIMITS.all_seconds)

    async def due(self) -> list[tuple[str, int]]:
        """The marks as a sidecar is told them."""
        return [(mark["role"], mark["version"]) for mark in (await self.ask("read", "info")).data["due"]]


def lease_of(grant: LeaseGrant, **changed: Any) -> Lease:
    """The lease that the server makes of a grant; internal data has been JSON in between."""
    internal = json.loads(json.dumps(grant.internal_data))
    lease = Lease(internal, grant.ttl_seconds, grant.max_ttl_seconds, 0, grant.issued)
    return replace(lease, **changed)


def registration(**fields: Any) -> dict[str, Any]:
    """A registration of a sidecar that nobody will connect to, unless `fields` say where it is."""
    whole = {"url": "https://127.0.0.1:1", "certificate": CERTIFICATE, "version": "0.1.0", "contract": CONTRACT}
    return whole | fields


class StandIn:
    """A sidecar's door: TLS, and PyJWT to check what comes.

    Attributes:
        reply: Answers a request that was let in, with status and document.
        seen: The claims of those requests, with their bodies.
        wakes: How often it was woken.
        strangers: How many requests carried a key that is not trusted.
        trusted: PEM of the plugin's key; None trusts nobody.
        on_stranger: Called before such a request is answered 401.
        raw: Instead of all that, but for a wake: what is done with a request, on the handler.
    """

    def __init__(self, instance: str, certificate: trustme.LeafCert) -> None:
        self.instance = instance
        self.reply: Callable[[Claims, bytes], tuple[int, Any]] = lambda claims, body: (200, {"data": {"ok": True}})
        self.seen: list[tuple[Claims, bytes]] = []
        self.wakes = 0
        self.woken = threading.Event()
        self.strangers = 0
        self.trusted: str | None = None
        self.on_stranger: Callable[[], None] = lambda: None
        self.raw: Callable[[http.server.BaseHTTPRequestHandler], None] | None = None
        self.released = threading.Event()
        self.certificate = certificate.cert_chain_pems[0].bytes().decode()
        door = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if door.raw and self.path != "/wake":
                    door.raw(self)
                    self.close_connection = True
                    return
                status, document = door.answer(self.command, self.path, self.headers.get("Authorization"), body)
                content = b"" if document is None else json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the base class looks for these

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        class Server(http.server.ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A client that goes away is no news."""

        self._server = Server(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=True
        )
        self.url = f"https://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def answer(self, method: str, path: str, authorization: str | None, body: bytes) -> tuple[int, Any]:
        """What the door answers."""
        if (method, path) == ("POST", "/wake"):
            self.wakes += 1
            self.woken.set()
            return 204, None
        token = (authorization or "").removeprefix("Bearer ")
        try:
            payload = jwt.decode(
                token,
                self.trusted or "",
                algorithms=[ALGORITHM],
                audience=self.instance,
                issuer="test_accessor",
                options={"verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError):
            self.strangers += 1
            self.on_stranger()
            return 401, {"errors": ["this key is not known here"], "code": "unknown_key"}
        claims = Claims.from_payload(payload)
        assert f"/v1/{claims.path}" == unquote(path)
        assert claims.digest == body_digest(body)
        self.seen.append((claims, body))
        return self.reply(claims, body)

    async def join(self, plugin: Plugin, **fields: Any) -> RegistrationAnswer:
        """Register, and trust the answer's key."""
        told = await plugin.register(self.instance, **self.registration(**fields))
        self.trusted = told.public_key
        return told

    def registration(self, **fields: Any) -> Mapping[str, Any]:
        """What it says of itself."""
        return {"url": self.url, "certificate": self.certificate} | fields

    def hang(self) -> None:
        """Answer nothing until the test is over."""

        def wait(handler: http.server.BaseHTTPRequestHandler) -> None:
            self.released.wait(LONGEST_TEST_SECONDS)

        self.raw = wait

    def close(self) -> None:
        """End the server; a second time does nothing."""
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        with suppress(OSError):
            self._server.server_close()


AUTHORITY = trustme.CA()
CERTIFICATE = AUTHORITY.issue_cert("127.0.0.1").cert_chain_pems[0].bytes().decode()


@pytest.fixture
def clock() -> FakeClock:
    """The mount's clock."""
    return FakeClock()


@pytest.fixture
def replaced(mounted: Callable[..., Plugin]) -> Callable[..., Any]:
    """Given a door, makes a process in the place of one at which that sidecar had registered."""

    async def make(door: StandIn) -> Plugin:
        storage = MemoryStorage()
        before = mounted(storage)
        await before.start()
        await door.join(before)
        plugin = mounted(storage)
        await plugin.start()
        return plugin

    return make


@pytest.fixture
def alice() -> Caller:
    """Somebody, with everything that a server tells of a caller."""
    return Caller("request-7", "alice", "e-alice", "accessor-1", "192.0.2.1")


@pytest.fixture
def plugin(clock: FakeClock) -> Iterator[Plugin]:
    """A mount on an active node; `await plugin.start()` first."""
    made = Plugin(clock)
    yield made
    asyncio.run(made.engine.cleanup())


@pytest.fixture
def mounted(clock: FakeClock) -> Iterator[Callable[..., Plugin]]:
    """Makes further mounts: `mounted(storage, standby=True)`."""
    made = []

    def make(storage: MemoryStorage | None = None, **how: Any) -> Plugin:
        made.append(Plugin(clock, storage, **how))
        return made[-1]

    yield make
    for one in made:
        asyncio.run(one.engine.cleanup())


@pytest.fixture
def stand_in() -> Iterator[Callable[..., StandIn]]:
    """Makes sidecars by name."""
    made = []

    def make(instance: str = "one") -> StandIn:
        made.append(StandIn(instance, AUTHORITY.issue_cert("127.0.0.1")))
        return made[-1]

    yield make
    for one in made:
        one.close()
