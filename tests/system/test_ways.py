"""Every way in and every way to change, set up by commands as an operator types them, and proven by a login.

On an org of their own, since some of them turn its switches.
"""

import contextlib
import secrets
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest
import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from desk import Desk
from product import Product
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession

from vault_salesforce.dev import client
from vault_salesforce.dev.orgsim import OrgSim
from vault_salesforce.policy import policy

pytestmark = pytest.mark.system

JWT = {"client_id": "the-app", "private_key": "@app.key"}
APP = {"client_id": "the-app", "client_secret": "@secret.txt"}
ADMIN_BY_JWT = {"auth_method": "jwt_bearer", "username": "{admin}", "admin_may_rotate": "{user}"} | JWT


@dataclass(frozen=True)
class Way:
    """A connection and a role, and what shows that they were used.

    Attributes:
        config, role: Fields of the commands.
        way: What the history calls the change.
        way_in: What the status calls the proof.
        paths: Where the org was asked for each operation.
    """

    config: dict[str, str]
    role: dict[str, str]
    way: str
    way_in: str = "soap_login"
    paths: dict[str, str] = field(default_factory=dict)


BY_ADMIN = {"self_managed": "false"}
WAYS = {
    "the app as the user": Way(
        JWT,
        {"self_login": "jwt_bearer"},
        "own_app",
        paths={"token": "/services/oauth2/token", "changeOwnPassword": "/services/Soap/u/64.0"},
    ),
    "an identity by JWT bearer, REST": Way(
        ADMIN_BY_JWT,
        BY_ADMIN,
        "admin_set",
        paths={"setPassword": "/services/data/v64.0/sobjects/User/{id}/password"},
    ),
    "an identity by client credentials, SOAP": Way(
        {"auth_method": "client_credentials", "set_password_by": "soap", "admin_may_rotate": "{user}"} | APP,
        BY_ADMIN,
        "admin_set",
        paths={"setPassword": "/services/Soap/u/64.0"},
    ),
    "the OAuth password flow": Way(
        {"password_login": "oauth"} | APP,
        {},
        "own_password",
        way_in="oauth_password",
        paths={"token": "/services/oauth2/token"},
    ),
    "Enterprise": Way(
        {"soap_endpoint": "enterprise"},
        {},
        "own_password",
        paths={"login": "/services/Soap/c/64.0", "changeOwnPassword": "/services/Soap/c/64.0"},
    ),
}


@pytest.fixture(scope="module")
def org(stack, tmp_path_factory):
    """An org whose switches may be turned."""
    orgsim = OrgSim(tmp_path_factory.mktemp("org"), {"PATH": "/usr/bin:/bin"}, lambda _: None, list)
    orgsim.start([])
    yield orgsim
    orgsim.stop()


@pytest.fixture(scope="module")
def key():
    """The app's key: its PEM, and the public half that Salesforce has."""
    made = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    private = made.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    public = made.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return SimpleNamespace(private=private.decode(), public=public.decode())


class Office:
    """An operator with the files that the commands name, a user, an identity, and an app that admits both."""

    def __init__(self, stack, org, key, directory):
        self.product = Product(SimpleNamespace(vault=stack.vault, orgsim=org, sidecar=stack.sidecar, parts=stack.parts))
        self.product.org.ask("POST", "reset")
        self.url, self.key = org.url, key
        self.secret = secrets.token_urlsafe(24)
        self.first, self.admin_password = self.product.password(), self.product.password()
        self.user = self.product.user(password=self.first)
        self.admin = self.product.user(password=self.admin_password, manage_users=True)
        app = {"client_id": "the-app", "client_secret": self.secret, "kind": "connected_app", "run_as": self.admin}
        app |= {"flows": ["jwt_bearer", "client_credentials", "password"], "certificate": key.public}
        self.product.org.ask("POST", "apps", app | {"preauthorized_users": [self.user, self.admin]})
        self.product.org.ask("PATCH", "org", {"username_password_flow_blocked": False})
        self.config, self.role = f"c{secrets.token_hex(4)}", f"r{secrets.token_hex(4)}"
        self.directory = directory
        for name, text in (
            ("app.key", key.private),
            ("secret.txt", self.secret),
            ("password.txt", self.first),
            ("admin.txt", self.admin_password),
        ):
            (directory / name).write_text(text)
        self.desk = Desk(self.product, directory)

    def type(self, command, *, refused=False):
        """Type a command; what it printed, where it is refused what it complained of."""
        done = self.desk.type(f"cd {self.directory} && {command}")
        assert (done.returncode != 0) is refused, done.stdout + done.stderr
        return done.stderr if refused else done.stdout

    def read(self, path):
        return self.product.vault.ask("GET", f"v1/{path}").data

    def connect(self, **fields):
        fields = {"login_url": self.url, "allowed_roles": self.role, "sidecar_address": "trusted"} | fields
        self.type(f"vault write sf/config/{self.config} {self._typed(fields)}")

    def make_role(self, **fields):
        fields = {"config": self.config, "username": self.user, "password": "@password.txt"} | fields
        self.type(f"vault write sf/static-roles/{self.role} {self._typed(fields)}")

    def rotate(self, **fields):
        return self.type(f"vault write -f sf/rotate/{self.role} {self._typed(fields)}")

    def history(self):
        return self.read(f"sf/history/{self.role}")["rotations"][0]

    def credential(self):
        return self.read(f"sf/static-creds/{self.role}")

    def counted(self, username):
        return self.product.org.ask("GET", f"users/{username}").body

    def logs_in(self, password):
        return client.log_in(self.url, self.user, password, "") == "Orgsim"

    def is_live(self):
        sent = {"password": self.credential()["password"], "security_token": ""}
        return self.product.org.ask("POST", f"users/{self.user}/check", sent).body["password"]

    def _typed(self, fields):
        known = {"user": self.user, "admin": self.admin}
        return " ".join(f"{name}='{value.format(**known)}'" for name, value in fields.items())


@pytest.fixture
def office(stack, org, key, tmp_path):
    made = Office(stack, org, key, tmp_path)
    yield made
    made.product.close()


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_a_role_is_made_by_commands_rotated_and_proven(office, way):
    office.connect(**way.config)
    office.make_role(**way.role)
    assert office.logs_in(office.first)
    looked = office.read(f"sf/preflight/{office.role}")
    assert looked["result"] != "failed", looked

    assert "done                   true" in office.rotate()

    status = office.read(f"sf/status/{office.role}")
    assert (status["state"], status["version"], status["way_in"]) == ("ok", 2, way.way_in)
    row = office.history()
    assert (row["outcome"], row["evidence"], row["way"]) == ("settled", "login", way.way)
    user_id = office.counted(office.user)["id"]
    asked = {one["operation"]: one["path"] for one in office.product.org.ask("GET", "requests").data}
    for operation, path in way.paths.items():
        assert asked[operation].startswith(path.format(id=user_id))
    assert office.counted(office.user)["failed_logins"] == 0
    assert office.logs_in(office.credential()["password"])
    assert not office.logs_in(office.first)
    assert (
        office.read(f"sf/config/{office.config}").items()
        >= {name: value for name, value in way.config.items() if "@" not in value and "{" not in value}.items()
    )


def test_where_nobody_can_log_in_the_record_of_the_change_closes_the_rotation(office):
    office.connect(**JWT)
    office.make_role(self_login="jwt_bearer")
    office.product.org.ask("PATCH", "org", {"soap_login_enabled": False})

    assert "done                   true" in office.rotate()

    row = office.history()
    assert (row["outcome"], row["evidence"], row["way"]) == ("settled", "record", "own_app")
    assert office.read(f"sf/status/{office.role}")["state"] == "ok"
    assert office.is_live()
    assert office.counted(office.user)["failed_logins"] <= 1  # the one that found the door shut


@contextlib.contextmanager
def session_of(office, password):
    """A session of somebody who knows a password."""
    with requests.Session() as http:
        http.trust_env = False
        http.mount("https://", client.ToOrg(office.url))
        opened = Salesforce(username=office.user, password=password, security_token="", session=http)
        # Of the password it knows no more, so that it cannot log in again by itself.
        yield Salesforce(session_id=opened.session_id, instance_url="https://login.salesforce.com", session=http)


def test_a_leaked_password_takes_its_sessions_along_and_ours_goes_on(office):
    office.connect(**ADMIN_BY_JWT)
    office.make_role(**BY_ADMIN)
    with session_of(office, office.first) as stolen:
        stolen.query("SELECT Id FROM User")
        grants = office.counted(office.admin)["grants"]

        office.rotate(end_sessions="true")

        with pytest.raises(SalesforceExpiredSession):
            stolen.query("SELECT Id FROM User")
    assert office.history()["sessions"].endswith(" ended")
    office.rotate()
    assert office.counted(office.admin)["grants"] == grants
    assert office.logs_in(office.credential()["password"])


def test_a_user_whom_a_stale_consumer_locked_is_unlocked_by_command(office):
    office.product.org.ask("PATCH", "org", {"password_policy": {"max_login_attempts": 3}})
    office.connect(**ADMIN_BY_JWT)
    office.make_role(**BY_ADMIN)
    for _ in range(3):
        assert not office.logs_in("An-old-password-1")
    assert office.counted(office.user)["locked"]
    before = office.counted(office.user)

    assert "locked" in office.type(f"vault write -f sf/rotate/{office.role}", refused=True)
    assert office.counted(office.user)["logins"] == before["logins"]
    status = office.read(f"sf/status/{office.role}")
    assert status["next_step"] == f"vault write -f sf/unlock/{office.role}"
    office.type(status["next_step"])

    assert not office.counted(office.user)["locked"]
    assert "done                   true" in office.rotate()
    assert office.logs_in(office.credential()["password"])
    assert office.counted(office.user)["lockouts"] == 1


def test_a_privileged_user_is_rotated_only_by_name(office):
    office.connect(**ADMIN_BY_JWT | {"admin_may_rotate": "*@example.com"})
    office.make_role(**BY_ADMIN)
    office.product.org.ask("PATCH", f"users/{office.user}", {"modify_all_data": True})

    told = office.type(f"vault write -f sf/rotate/{office.role}", refused=True)

    assert "Modify All Data" in told
    assert "without a glob" in told
    assert office.counted(office.user)["password_changes"] == 0
    rows = {row["check"]: row for row in office.read(f"sf/preflight/{office.role}")["checks"]}
    assert rows["privileged"]["result"] == "failed"
    office.type(f"vault write sf/config/{office.config} admin_may_rotate='*@example.com,{office.user}'")
    assert "done                   true" in office.rotate()
    assert office.logs_in(office.credential()["password"])


@pytest.mark.parametrize("may_change", [True, False], ids=["changed", "set"])
def test_an_expired_password_rotates_itself(office, may_change):
    office.connect()
    office.make_role()
    office.product.org.ask("PATCH", "org", {"expired_session_may_change_own": may_change})
    office.product.org.ask("PATCH", f"users/{office.user}", {"expired": True})

    assert "done                   true" in office.rotate()

    assert office.history()["way"] == ("own_password" if may_change else "own_expired")
    assert office.logs_in(office.credential()["password"])


def test_what_was_given_once_is_never_read_again_and_is_in_no_log(office, stack):
    """Rotations that go well, an app that is refused, and a mailbox that does not answer."""
    mailbox_password = secrets.token_urlsafe(24)
    (office.directory / "mailbox.txt").write_text(mailbox_password)
    mailbox = {"mailbox": "imaps://tokens@127.0.0.1:9/INBOX", "mailbox_password": "@mailbox.txt"}
    identity = {"auth_method": "client_credentials", "admin_may_rotate": "{user}", "private_key": "@app.key"}
    office.connect(**identity, **APP, **mailbox)
    office.make_role(self_login="jwt_bearer")
    office.rotate()
    looked = office.read(f"sf/preflight-config/{office.config}")
    office.product.org.ask("PATCH", "apps/the-app", {"client_secret": "another", "preauthorized_users": []})
    office.product.org.ask("POST", f"users/{office.admin}/end-sessions")
    office.product.org.ask("POST", f"users/{office.user}/end-sessions")
    refused = office.type(f"vault write -f sf/rotate/{office.role}", refused=True)

    lines = [line for line in office.key.private.splitlines() if len(line) > 40]
    given = {*lines, office.secret, mailbox_password, office.first, office.credential()["password"]}
    assert len(lines) > 20
    stored = office.read(f"salesforce-engine/data/config/{office.config}")["data"]
    assert {office.key.private, office.secret, mailbox_password} <= {str(value) for value in stored.values()}
    shown = [looked, refused, *(office.read(f"sf/{path}") for path in (
        f"config/{office.config}", f"static-roles/{office.role}", f"status/{office.role}", f"history/{office.role}"
    ))]  # fmt: skip
    for name in ("operator", "auditor"):
        token = holder(office, name)
        answer = office.product.stack.vault.api(token).send("GET", f"v1/salesforce-engine/data/config/{office.config}")
        assert answer.status == 403, name
    logs = [log for kind in ("*.out", "*.err", "audit.log") for log in stack.directory.rglob(kind)]
    assert len(logs) >= 7
    shown += [log.read_text(errors="replace") for log in logs]
    for text in map(str, shown):
        assert not [one[:4] for one in given if one in text], text[:200]


def holder(office, name):
    office.product.vault.ask("PUT", f"v1/sys/policies/acl/ways-{name}", {"policy": policy(name)})
    given = {"policies": [f"ways-{name}"], "ttl": "10m"}
    return office.product.vault.ask("POST", "v1/auth/token/create", given).body["auth"]["client_token"]
