"""A simulator without ports: the two applications, called in memory, on a clock that only tests move."""

import base64
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic
from typing import Any
from xml.sax.saxutils import escape

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
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
ASSERTION = "urn:ietf:params:oauth:grant-type:jwt-bearer"
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


class OauthSimulator(Simulator):
    """A simulator with one app, and the grants that it can ask for."""

    client_id, secret = "3MVG9.rotator", "app-secret-1"

    def __init__(self, world: World, key: RSAPrivateKey) -> None:
        super().__init__(world)
        self._key = key

    def now(self) -> int:
        return int(self.org.clock.now().timestamp())

    def change_app(self, **changes: Any) -> None:
        self.control("PATCH", f"/apps/{self.client_id}", changes)

    def post(self, endpoint: str, *, base_url: str = "http://crm.my.salesforce.com", **form: str) -> Any:
        return self.vendor.post(f"/services/oauth2/{endpoint}", data=form, base_url=base_url)

    def by_assertion(
        self,
        sub: Any = None,
        *,
        key: RSAPrivateKey | None = None,
        form: dict[str, str] | None = None,
        **claims: Any,
    ) -> Any:
        said = {"iss": self.client_id, "aud": "https://login.salesforce.com", "exp": self.now() + 120, "sub": sub}
        said = {name: value for name, value in {**said, **claims}.items() if value is not None}
        # The library would refuse to write some of the claims that a test wants refused by the org.
        assertion = jwt.PyJWS().encode(json.dumps(said).encode(), key or self._key, algorithm="RS256")
        return self.post("token", grant_type=ASSERTION, assertion=assertion, **(form or {}))

    def by_client(self, *, secret: str | None = None, basic: bool = False, **how: str) -> Any:
        secret = self.secret if secret is None else secret
        if basic:
            encoded = base64.b64encode(f"{self.client_id}:{secret}".encode()).decode()
            headers = {"Authorization": f"Basic {encoded}"}
            form = {"grant_type": "client_credentials"}
            return self.vendor.post("/services/oauth2/token", data=form, headers=headers)
        return self.post(
            "token", grant_type="client_credentials", client_id=self.client_id, client_secret=secret, **how
        )

    def by_password(self, *, password: str = "First-pass-1" + "T" * 24, **how: str) -> Any:
        app = {"client_id": self.client_id, "client_secret": self.secret}
        return self.post("token", grant_type="password", username=self.app, password=password, **app, **how)


def public_pem(key: RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="session")
def app_key() -> RSAPrivateKey:
    """The key that the app signs with."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def other_key() -> RSAPrivateKey:
    """A key that the org has not heard of."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture(scope="session")
def app_certificate(app_key: RSAPrivateKey) -> str:
    """A certificate of the app's key, as Setup wants it uploaded."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Rotator")])
    builder = x509.CertificateBuilder(name, name, app_key.public_key(), 1, START, START + timedelta(days=365))
    return builder.sign(app_key, hashes.SHA256()).public_bytes(Encoding.PEM).decode()


@pytest.fixture
def public_key(app_key: RSAPrivateKey) -> str:
    """The public half of the app's key alone."""
    return public_pem(app_key)


@pytest.fixture
def oauth(app_key: RSAPrivateKey, app_certificate: str) -> Iterator[OauthSimulator]:
    """The usual org with an app: pre-authorised for the integration user, and run as the administrator."""
    app = {
        "client_id": OauthSimulator.client_id,
        "client_secret": OauthSimulator.secret,
        "name": "Rotator",
        "certificate": app_certificate,
        "preauthorized_users": [APP["username"]],
        "run_as": ADMIN["username"],
    }
    simulator = OauthSimulator(
        build_world({"users": [APP, ADMIN], "apps": [app]}, clock=OrgClock(lambda: START)), app_key
    )
    yield simulator
    simulator.end()
