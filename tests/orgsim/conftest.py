"""A simulator without ports: the two applications, called in memory, on a clock that only tests move."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from threading import Event
from time import monotonic
from typing import Any
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from salesforce_orgsim.clock import OrgClock
from salesforce_orgsim.control import control_app
from salesforce_orgsim.exchange import World
from salesforce_orgsim.serve import build_world
from salesforce_orgsim.stale import StaleConsumers
from salesforce_orgsim.urls import vendor_app
from salesforce_orgsim.user import User

START = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)

APP = {
    "username": "app@crm.example",
    "password": "First-pass-1",
    "security_token": "T" * 24,
    "ever_reset_token_manually": True,
}
ADMIN = {
    "username": "admin@crm.example",
    "password": "Admin-pass-1",
    "security_token": "A" * 25,
    "manage_users": True,
}
NAMESPACES = {"u": "urn:partner.soap.sforce.com", "c": "urn:enterprise.soap.sforce.com"}


class SoapAnswer:
    """A SOAP answer, read by local names as a client would."""

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body
        self.root = etree.fromstring(body)

    def text(self, name: str) -> str | None:
        found = self.root.find(f".//{{*}}{name}")
        return None if found is None else found.text

    @property
    def code(self) -> str | None:
        return self.text("exceptionCode")


class Simulator:
    """One simulator and the ways in which tests reach it."""

    app = APP["username"]
    admin = ADMIN["username"]

    def __init__(self, world: World) -> None:
        self.world = world
        self.org = world.org
        self.stale = StaleConsumers(world.org)
        self.vendor = vendor_app(world).test_client()
        self._control = control_app(world, self.stale).test_client()

    def control(self, method: str, path: str, document: Any = None, *, status: int = 200) -> Any:
        answer = self._control.open(path, method=method, json=document)
        assert answer.status_code == status, answer.text
        return answer.get_json()

    def soap(
        self,
        operation: str,
        session: str = "",
        *,
        version: str = "64.0",
        letter: str = "u",
        header: str = "",
        base_url: str = "http://localhost",
        **arguments: str,
    ) -> SoapAnswer:
        inner = "".join(f"<m:{name}>{escape(value)}</m:{name}>" for name, value in arguments.items())
        if session:
            header += f"<m:SessionHeader><m:sessionId>{session}</m:sessionId></m:SessionHeader>"
        body = (
            f'<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:m="{NAMESPACES[letter]}">'
            f"<e:Header>{header}</e:Header><e:Body><m:{operation}>{inner}</m:{operation}></e:Body></e:Envelope>"
        )
        return self.send(body.encode(), version=version, letter=letter, base_url=base_url)

    def send(
        self, body: bytes, *, version: str = "64.0", letter: str = "u", base_url: str = "http://localhost"
    ) -> SoapAnswer:
        path = f"/services/Soap/{letter}/{version}"
        headers = {"Content-Type": "text/xml; charset=UTF-8", "SOAPAction": '""'}
        answer = self.vendor.post(path, data=body, headers=headers, base_url=base_url)
        return SoapAnswer(answer.status_code, answer.data)

    def log_in(self, username: str, secret: str | None = None, **how: str) -> SoapAnswer:
        user = self.user(username)
        if secret is None:
            secret = user.password + (user.security_token or "")
        return self.soap("login", username=username, password=secret, **how)

    def session(self, username: str) -> str:
        """Open a session without a login that anything would count."""
        return self.org.open_session(self.user(username)).id

    def rest(self, method: str, path: str, session: str = "", **how: Any) -> Any:
        headers = {"Authorization": f"Bearer {session}"} if session else {}
        return self.vendor.open(f"/services/data{path}", method=method, headers=headers, **how)

    def query(self, session: str, text: str, *values: str) -> list[dict[str, Any]]:
        for value in values:
            text = text.replace("?", f"'{value}'", 1)
        answer = self.rest("GET", "/v68.0/query", session, query_string={"q": text})
        assert answer.status_code == 200, answer.text
        return list(answer.get_json()["records"])

    def user(self, username: str) -> User:
        user = self.org.user(username)
        assert user is not None
        return user

    def advance(self, seconds: float) -> None:
        self.org.clock.advance(seconds)

    def end(self) -> None:
        self.world.stopping.set()
        self.stale.stop_all()
        self.world.later.cancel()


@pytest.fixture
def simulate() -> Iterator[Callable[..., Simulator]]:
    """Make simulators of a configuration; two users unless it names its own."""
    made: list[Simulator] = []

    def make(config: dict[str, Any] | None = None, **how: Any) -> Simulator:
        document = {"users": [APP, ADMIN], **(config or {})}
        made.append(Simulator(build_world(document, clock=OrgClock(lambda: START), **how)))
        return made[-1]

    yield make
    for simulator in made:
        simulator.end()


@pytest.fixture
def sim(simulate: Callable[..., Simulator]) -> Simulator:
    """The usual simulator: an integration user with a token, and an administrator."""
    return simulate()


@pytest.fixture
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something is so, for ten seconds at most."""

    def wait(condition: Callable[[], object]) -> None:
        pause, end = Event(), monotonic() + 10
        while not condition():
            assert monotonic() < end, "it never became so"
            pause.wait(0.01)

    return wait
