"""A whole life at the most talkative level, good and bad; then everything that it left is searched for every secret.

The secrets are not those that the test happens to know: they are read off the wires between sidecar, server and org.
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from desk import mailed_token
from faults.harness.injectors import children
from product import Hook, Product
from replica import Replica
from tap import Tap
from traces import Needles, carried, files, processes, storage

from vault_salesforce.dev.setup import POLICY
from vault_salesforce.dev.stack import Stack

pytestmark = pytest.mark.system

TALKATIVE = 'log_level = "trace"\nraw_storage_endpoint = true\n'
# The files that hold a secret because that is what they are for: the SecretID as it was delivered and as it is kept,
# and what the simulator is started with. Its mails are those of an org.
KEEPERS = {"sidecar/secret-id", "late-state/secret-id.json", "orgsim/org.json"}
MAILS = "orgsim/mail/"


class Life:
    """A stack of its own, with a listener on the wires from its sidecar, and what was answered to people."""

    def __init__(self, stack, to_vault, to_org, hook):
        self.stack, self.to_vault, self.to_org, self.hook = stack, to_vault, to_org, hook
        self.product = Product(stack)
        self.vault = self.product.vault
        self.given = {stack.vault.root_token}
        self.told, self.users = [], []
        self.processes = []

    def secret(self):
        """One that somebody gives."""
        self.given.add(made := f"Given-1-{secrets.token_urlsafe(15)}")
        return made

    def account(self):
        """A user whose tokens come by mail."""
        made = self.product.account_with_token(config="mail")
        self.users.append(made.username)
        return made

    def tell(self, method, path, body=None):
        """Ask for something that must show no secret, whatever it comes to."""
        answer = self.vault.send(method, f"v1/sf/{path}", body)
        self.told.append((f"{method} {path}", str(answer.body).encode()))
        return answer

    def rotate(self, account, beyond):
        """Ask until it is at a version beyond this one."""

        def look():
            said.append(self.tell("POST", f"rotate/{account.role}", {"wait": 2}).body)
            return self.product.version(account) > beyond

        said = []
        try:
            self.product.until(look, "the next version", 60)
        except TimeoutError:
            pytest.fail(f"{said[-1]}, {self.product.status(account)}")

    def carried(self):
        """What the wires carried, by the name of what carried it."""
        heard = carried(self.to_vault.heard())
        for name, values in carried(self.to_org.heard()).items():
            heard.setdefault(name, set()).update(values)
        return heard

    def needles(self):
        """Every secret so far."""
        return Needles(self.given.union(*self.carried().values()))


@pytest.fixture(scope="module")
def life():
    """All that happens, once; the stack is still there afterwards."""
    talkative = {"VAULT_SALESFORCE_LOG_LEVEL": "debug"}
    with contextlib.ExitStack() as opened:
        stack = opened.enter_context(Stack(lambda _: None, further=TALKATIVE, sidecar_environment=talkative))
        stack.start()
        to_vault = opened.enter_context(Tap(stack.vault.address))
        to_org = opened.enter_context(Tap(stack.orgsim.url))
        hook = Hook()
        opened.callback(hook.close)
        # It knows itself for no copy of another Vault once it has met this one at both addresses.
        for addresses in ([stack.vault.address, to_vault.url], [to_vault.url]):
            stack.sidecar.stop()
            stack.sidecar.restart(addresses)
        life = Life(stack, to_vault, to_org, hook)
        opened.callback(life.product.close)
        by_mail(life)
        by_app(life)
        refused(life)
        wires_are_cut(life)
        crashes(life)
        late_sidecar(life)
        yield life


def connect(life, name, **settings):
    """A connection by way of the listener."""
    settings = {
        "login_url": life.to_org.url,
        "allowed_roles": ["*"],
        "mailbox": f"maildir:{life.stack.orgsim.mail}",
    } | settings
    life.tell("POST", f"config/{name}", settings)
    return name


def by_mail(life):
    """Password and token: changes that go well, and whose answers are lost; a lease; a deleted role."""
    product = life.product
    connect(life, "mail", sidecar_address="untrusted")
    account = life.account()
    for knobs in (
        {},
        {"change_then_500": {"times": 1}},
        {"close_connection": {"when": "after", "operation": "changeOwnPassword", "times": 1}},
        {"answer_malformed": {"operation": "login", "times": 1}},
    ):
        version = product.version(account)
        product.misbehave(account, **knobs)
        life.rotate(account, version)
    product.org.ask("DELETE", "misbehave")
    lease = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease, "sync": True})
    product.vault.ask("GET", f"v1/sf/reveal/{account.role}")
    for path in ("status", "history", "version", "static-roles", "preflight"):
        life.tell("GET", f"{path}/{account.role}")
    life.tell("GET", "preflight-config/mail")
    life.tell("DELETE", f"static-roles/{account.role}")


def by_app(life):
    """An app with a key and a secret, an identity, and a mailbox with a password that does not answer."""
    product = life.product
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    plain = serialization.NoEncryption()
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    client_secret, password = life.secret(), life.secret()
    life.given.add(private)
    admin, user = product.user(password=life.secret(), manage_users=True), product.user(password=password)
    app = {"client_id": "the-app", "client_secret": client_secret, "kind": "connected_app", "run_as": admin}
    app |= {"flows": ["jwt_bearer", "client_credentials"], "certificate": public.decode()}
    product.org.ask("POST", "apps", app | {"preauthorized_users": [admin, user]})
    mailbox = {"mailbox": "imaps://tokens@127.0.0.1:9/INBOX", "mailbox_password": life.secret()}
    identity = {"auth_method": "client_credentials", "admin_may_rotate": [user], "client_id": "the-app"}
    connect(life, "app", **identity, **mailbox, client_secret=client_secret, private_key=private)
    body = {"config": "app", "username": user, "password": password}
    life.tell("POST", "static-roles/own-app", body | {"self_login": "jwt_bearer"})
    rotated = life.tell("POST", "rotate/own-app", {"end_sessions": True})
    assert rotated.data.get("done") is True, rotated
    life.tell("POST", "static-roles/own-app", {"self_managed": False})
    assert life.tell("POST", "rotate/own-app", {}).data["done"] is True
    for path in ("config/app", "preflight-config/app", "preflight/own-app", "status/own-app", "history/own-app"):
        life.tell("GET", path)
    product.org.ask("PATCH", "apps/the-app", {"client_secret": "another", "preauthorized_users": []})
    for one in (admin, user):
        product.org.ask("POST", f"users/{one}/end-sessions")
    life.tell("POST", "rotate/own-app", {})
    life.tell("GET", "preflight/own-app")


def refused(life):
    """Secrets that are wrong, or where they do not belong."""
    product = life.product
    account = life.account()
    product.misbehave(account, refuse_before={"code": "INVALID_NEW_PASSWORD", "operation": "changeOwnPassword"})
    life.tell("POST", f"rotate/{account.role}", {})
    product.org.ask("DELETE", "misbehave")
    life.tell("POST", f"resync/{account.role}", {"password": life.secret()})
    life.tell("POST", f"security-token/{account.role}", {"security_token": mailed_token(product, account)[::-1]})
    life.tell("POST", f"static-roles/{account.role}", {"password": life.secret()})
    life.tell("POST", "static-roles/nobody", {"config": "mail", "username": product.user(), "password": life.secret()})
    life.tell(
        "POST", "static-roles/nobody", {"pasword": life.secret(), "config": [life.secret()], "ttl": life.secret()}
    )
    life.tell(
        "POST", "config/mail", {"login_url": f"https://{life.secret()}@org.example.com", "mailbox": life.secret()}
    )
    life.tell("POST", f"rotate/{account.role}?password={life.secret()}", {"wait": life.secret()})
    life.tell("GET", f"status/{account.role}")


def wires_are_cut(life):
    """Neither the org nor the server can be reached, in the middle of everything."""
    product = life.product
    account = life.account()
    with life.to_org.cut():
        life.tell("POST", f"rotate/{account.role}", {})
        life.tell("GET", f"preflight/{account.role}")
    account = life.account()  # the logins of that one are used up
    life.hook.act = lambda _: life.to_vault.hang_up()
    product.misbehave(account, hook_after_url={"url": life.hook.url, "times": 1})
    version = product.version(account)
    life.tell("POST", f"rotate/{account.role}", {})
    life.rotate(account, version)
    with life.to_vault.cut():
        for _ in range(2):
            life.tell("POST", f"rotate/{account.role}", {"wait": 1})


def crashes(life):
    """Each program is aborted while it holds everything; what they write when they die is part of what they leave."""
    product, stack = life.product, life.stack
    account = life.account()
    version = product.version(account)
    life.hook.act = lambda _: stack.sidecar.part.signal(signal.SIGABRT, group=True)
    product.misbehave(account, hook_url={"url": life.hook.url, "times": 1})
    life.tell("POST", f"rotate/{account.role}", {})
    life.rotate(account, version)
    (plugin,) = children(stack.vault.part.pid)
    os.kill(plugin, signal.SIGABRT)
    version = product.version(account)
    life.rotate(account, version)
    assert children(stack.vault.part.pid) != [plugin]
    version, before = product.version(account), stack.vault.part.pid
    stack.vault.part.signal(signal.SIGABRT)
    product.until(lambda: stack.vault.part.pid not in (0, before) and stack.vault.active(), "the server, again", 60)
    life.rotate(account, version)


def late_sidecar(life):
    """One more sidecar, whose SecretID comes wrapped."""
    product, directory = life.product, life.stack.directory
    role = f"auth/approle/role/{POLICY}"
    delivered = product.bao("write", "-f", "-wrap-ttl=5m", "-field=wrapping_token", f"{role}/secret-id")
    assert delivered.returncode == 0, delivered.stderr
    life.given.add(delivered.stdout.strip())
    wrapped, state = directory / "late-wrapped", directory / "late-state"
    wrapped.write_text(delivered.stdout)
    state.mkdir(mode=0o700)
    settings = {
        "vault_addr": life.to_vault.url,
        "role_id": product.vault.ask("GET", f"v1/{role}/role-id").data["role_id"],
        "auth_role": POLICY,
        "wrapped_secret_id_file": str(wrapped),
        "state_directory": str(state),
        "log_level": "debug",
    }
    with Replica(life.stack, directory, "late", **settings) as replica:
        replica.start()
        wrapped.unlink()
        life.told.append(("metrics", replica.get("/metrics")[1]))
        life.processes += processes({replica.part.pid, *(part.pid for part in life.stack.parts())})


def test_the_wires_were_heard_and_every_kind_of_secret_is_among_what_was_read_off_them(life):
    kinds = {name for name, values in life.carried().items() if any(len(value) > 8 for value in values)}
    assert kinds >= {
        "password", "newpassword", "oldpassword", "sessionid", "access_token", "assertion", "client_secret",
        "authorization", "x-vault-token", "client_token", "secret_id", "private_key", "mailbox_password",
        "security_token", "candidate_password", "current_password",
    }  # fmt: skip
    needles = life.needles()
    assert len(needles.secrets) > 60
    assert Needles(life.given).secrets <= needles.secrets


def test_the_programs_were_at_their_most_talkative_and_said_what_went_wrong(life):
    logs = {name: content for name, content in files(life.stack.directory) if name.endswith((".err", ".out"))}
    assert b'"level": "debug"' in logs["sidecar/sidecar.err"] + logs["late/late.err"]
    assert b"[TRACE]" in logs["vault/vault.out"] + logs["vault/vault.err"]
    assert b'"level": "warning"' in logs["sidecar/sidecar.err"]
    assert b"SIGABRT" in logs["vault/vault.err"], "what the server wrote when it was aborted"


def test_no_secret_is_in_any_file_but_those_that_are_there_for_it(life):
    """Logs, the audit file, the server's own storage (which is encrypted), temporary files, what crashes wrote."""
    found = life.needles().found(files(life.stack.directory))
    assert {name for name in found if not name.startswith(MAILS)} <= KEEPERS, found
    assert found.keys() >= KEEPERS, "those that are there for it hold one, so that it would have been found"
    closed = [name for name in KEEPERS if (life.stack.directory / name).stat().st_mode & 0o077]
    assert closed == []


def test_no_secret_is_in_a_command_line_or_an_environment(life):
    assert len(life.processes) >= 2 * 6  # server, plugin, org, a master and a worker of each of two sidecars
    assert life.needles().found(life.processes) == {}


def test_no_secret_is_in_an_answer_that_promises_none(life):
    assert len(life.told) > 30
    assert life.needles().found(life.told) == {}


def test_the_mails_hold_tokens_and_no_other_secret(life):
    sent = [life.product.org.ask("GET", f"mailbox/{user}").data for user in life.users]
    mails = [(user, str(mail).encode()) for user, mine in zip(life.users, sent, strict=True) for mail in mine]
    assert len(mails) >= 8
    carried = life.carried()
    tokens = carried["security_token"] | carried["current_token"]
    assert Needles(tokens).found(mails).keys() == set(life.users)
    assert Needles(life.needles().secrets - tokens).found(mails) == {}


def test_a_secret_that_was_replaced_or_whose_connection_is_gone_is_in_no_earlier_version(life):
    first, second = life.secret(), life.secret()
    settings = {"client_id": "an-app", "auth_method": "client_credentials"}
    connect(life, "brief", **settings, client_secret=first)
    connect(life, "brief", **settings, client_secret=second)

    def held():
        """Every version that KV still has."""
        metadata = life.vault.ask("GET", "v1/salesforce-engine/metadata/config/brief").data
        path = "v1/salesforce-engine/data/config/brief?version="
        return [life.vault.send("GET", f"{path}{version}").data["data"] for version in metadata["versions"]]

    assert [data["client_secret"] for data in held()] == [second]
    life.tell("DELETE", "config/brief")
    assert held() == [{"deleted": True}]


def test_of_the_sidecars_records_the_journal_and_the_connections_alone_hold_secrets(life):
    def records(folder=""):
        for key in life.vault.ask("LIST", f"v1/salesforce-engine/metadata/{folder}").data["keys"]:
            if key.endswith("/"):
                yield from records(folder + key)
            else:
                name = folder + key.replace("%", "%25")
                data = life.vault.send("GET", f"v1/salesforce-engine/data/{name}").data["data"]
                yield name, str(data).encode()

    known = dict(records())
    folders = {name.partition("/")[0] for name in known}
    assert folders >= {"journal", "config", "static-roles", "history", "claims", "index"}
    found = {name.partition("/")[0] for name in life.needles().found(known.items())}
    assert found == {"journal", "config"}


def test_the_servers_storage_holds_secrets_where_they_belong_and_nowhere_else(life):
    """Decrypted: the two KV mounts, the plugin's copies, the answer of a lease that runs, the server's own tokens."""
    mounts = life.vault.ask("GET", "v1/sys/mounts").data
    place = {name: f"logical/{mounts[name]['uuid']}/" for name in ("sf/", "salesforce/", "salesforce-engine/")}
    product = life.product
    account = product.account(config="mail")
    lease = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
    entries = list(storage(life.vault))
    of_plugin = [name.removeprefix(place["sf/"]) for name, _ in entries if name.startswith(place["sf/"])]
    assert f"credentials/{account.role}" in of_plugin
    found = life.needles().found(entries)
    mine = (f"{place['sf/']}credentials/", place["salesforce/"], place["salesforce-engine/"])
    mine += ("sys/token/", "sys/expire/id/auth/")  # logins that are in force, as the server keeps them
    elsewhere = {name: what for name, what in found.items() if not name.startswith(mine)}
    assert elsewhere.keys() == {f"sys/expire/id/{lease}"}, elsewhere
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease, "sync": True})
    assert not [name for name, _ in storage(life.vault, "sys/expire/") if lease in name]


def test_a_secret_that_is_planted_is_found_in_every_kind_of_place_and_in_every_spelling(life):
    planted = f"Planted & told\u00e4-{secrets.token_urlsafe(12)}"
    needles = Needles([planted])
    spelt = ("%26", "&amp;", "\\u00e4")
    assert len([one for one in spelt if any(one.encode() in spelling for spelling in needles._spellings)]) == len(spelt)
    file = life.stack.directory / "t" / "planted"
    life.vault.ask("POST", "v1/sys/mounts/planted", {"type": "kv"})
    life.vault.ask("POST", "v1/planted/x", {"what": planted})
    program = (sys.executable, "-c", "input()", planted)
    with subprocess.Popen(program, env={"X": planted}, stdin=subprocess.PIPE, start_new_session=True) as process:
        try:
            seen = needles.found(processes({process.pid}))
        finally:
            process.communicate(b"\n")
    assert {name.split()[0] for name in seen} == {"cmdline", "environ"}
    for spelling in needles._spellings:
        file.write_bytes(b"before" + spelling + b"after")
        assert needles.found(files(life.stack.directory)).keys() == {"t/planted"}
    file.unlink()
    (kept,) = needles.found(storage(life.vault))
    assert kept.startswith("logical/")
    life.vault.ask("DELETE", "v1/sys/mounts/planted")
