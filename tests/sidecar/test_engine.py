"""The engine: what it needs to come up, what it answers meanwhile, how it ends."""

import itertools
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from waiting import until

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.salesforce import faults, org
from vault_salesforce_sidecar.salesforce.interface import NotSent, OrgRefused
from vault_salesforce_sidecar.settings import from_environ

PATIENCE_SECONDS = 30
ANN, BOB = Caller(entity_id="ann"), Caller(entity_id="bob")
CONFIG = Config(login_url="https://a.my.salesforce.com", allowed_roles=("*",))


@pytest.fixture
def environ(server, tmp_path):
    return {
        "VAULT_ADDR": server.addr,
        "AUTH_METHOD": "token",
        "VAULT_TOKEN": server.root_token,
        "KV_MOUNT": server.mount_kv(),
        "ENGINE_KV_MOUNT": server.mount_kv(),
        "WEB_THREADS": "9",
        "MAILBOX_ROOT": str(tmp_path),
    }


@pytest.fixture
def build(environ):
    """Build an engine; it is stopped at the end if it was started."""
    made = []

    def begin(**more):
        given = {f"VAULT_SALESFORCE_{name}": value for name, value in (environ | more).items()}
        made.append(Engine(from_environ(given, "one"), url="https://127.0.0.1:1", certificate="PEM", version="0"))
        return made[-1]

    yield begin
    for engine in made:
        if engine._thread.ident is not None:
            engine.stop()
            assert not engine._thread.is_alive()
        engine.vault.client.adapter._pool.clear()


def is_up(engine):
    try:
        engine.require_up()
    except TransientError:
        return False
    return True


def test_until_it_is_up_nothing_is_done(build):
    engine = build()
    with pytest.raises(TransientError, match="not up: starting") as caught:
        engine.require_up()
    assert caught.value.status == 503
    assert engine.unready()


def test_it_comes_up_by_itself_and_then_lacks_only_the_plugin(build):
    engine = build()
    engine.start()
    until(lambda: is_up(engine))
    until(lambda: "sf/sidecar/one" in (engine.unready() or ""))


def test_a_mount_that_is_wrong_is_told_with_its_command_and_may_be_mended(build, server, environ):
    mount = environ["KV_MOUNT"]
    server.ask("POST", f"{mount}/config", {"cas_required": False})
    engine = build()
    engine.start()
    until(lambda: f"vault write {mount}/config cas_required=true" in (engine.unready() or ""))
    assert not is_up(engine)
    server.ask("POST", f"{mount}/config", {"cas_required": True})
    until(lambda: is_up(engine))


def test_without_a_login_the_reason_is_the_logins(build):
    engine = build(VAULT_TOKEN="hvs.wrong")
    engine.start()
    until(lambda: "refused the sidecar's login" in (engine.unready() or ""))
    assert "hvs.wrong" not in (engine.unready() or "")


def test_once_it_stops_it_begins_nothing(build):
    engine = build()
    engine.start()
    until(lambda: is_up(engine))
    engine.begin_stop()
    with pytest.raises(TransientError, match="stopping"):
        engine.require_up()
    assert engine.unready() == "stopping"


def test_who_finds_no_waiting_place_does_not_wait(build):
    engine = build()
    with engine.waiting(10, ANN, "a") as first, engine.waiting(10, BOB, "b") as second:
        assert (first, second) == (10, 0)
    with engine.waiting(0, ANN, "a") as none, engine.waiting(10, ANN, "a") as third:
        assert (none, third) == (0, 10)


@pytest.mark.parametrize(("callers", "roles"), [("a", "123456789"), ("abcdefghi", "1")], ids=["a caller", "a role"])
def test_one_caller_and_one_role_leave_places_to_others(build, callers, roles):
    engine = build(WEB_THREADS="16")
    with ExitStack() as stack:
        waits = [
            stack.enter_context(engine.waiting(10, Caller(entity_id=caller), role))
            for caller, role in zip(itertools.cycle(callers), roles * len(callers), strict=False)
        ]
        assert waits == [10] * 6 + [0] * 3
        with pytest.raises(TransientError) as caught, engine.place(Caller(entity_id=callers[0]), roles[0]):
            pass
        assert (caught.value.status, caught.value.code, caught.value.retry_after_seconds) == (429, "busy", 2)
        assert stack.enter_context(engine.waiting(10, BOB, "other")) == 10


def test_who_calls_salesforce_needs_a_place(build):
    engine = build()
    with ExitStack() as stack:
        stack.enter_context(engine.place(ANN, "a"))
        with pytest.raises(TransientError) as caught:
            stack.enter_context(engine.place(BOB, "b"))
    assert (caught.value.status, caught.value.code) == (429, "busy")
    with engine.place(ANN, "a"):
        pass


def test_a_record_of_a_newer_release_is_left_alone(build, server):
    engine = build()
    engine.vault.use(engine.settings.vault_token)
    kv = engine.vault.kv(engine.settings.engine_kv_mount)
    kv.write("config/org", {"schema": 2, "login_url": CONFIG.login_url}, 0)
    with pytest.raises(OperatorError, match="newer release"):
        engine.connections.get("org")


def test_records_are_stored_with_their_schema_and_read_back(build):
    engine = build()
    engine.vault.use(engine.settings.vault_token)
    engine.connections.put("org", CONFIG)
    role = StaticRole(config="org", username="a@example.com", rotation_period=3600)
    engine.roles.put("crm", role)
    assert engine.connections.get("org").record == CONFIG
    assert engine.roles.get("crm").record == role
    kv = engine.vault.kv(engine.settings.engine_kv_mount)
    assert kv.read("static-roles/crm").data["schema"] == 1
    assert (engine.user_of("org"), engine.user_of("other")) == ("crm", None)


def test_a_mailbox_is_where_the_settings_allow_it(build, tmp_path):
    engine = build()
    assert engine.open_mailbox(CONFIG) is None
    with pytest.raises(CallerError, match="mailbox"):
        engine.open_mailbox(Config(login_url=CONFIG.login_url, mailbox="maildir:/etc"))


def test_what_is_counted_is_scraped(build):
    engine = build()
    engine._counted("login", "refused")
    engine._counted("rotation", "settled")
    text = engine.metrics.text().decode()
    assert 'vault_salesforce_logins_total{result="refused"} 1.0' in text
    assert 'vault_salesforce_rotations_total{outcome="settled"} 1.0' in text


@pytest.mark.parametrize("broken", [{}, {"login_url": "https://a", "allowed_roles": 7}])
def test_a_record_that_cannot_be_read_is_an_error_with_a_remedy(build, broken):
    engine = build()
    engine.vault.use(engine.settings.vault_token)
    engine.vault.kv(engine.settings.engine_kv_mount).write("config/org", {"schema": 1} | broken, 0)
    with pytest.raises(OperatorError, match="cannot be read") as caught:
        engine.connections.get("org")
    assert caught.value.status == 503


def test_members_of_a_newer_release_outlive_an_update(build):
    engine = build()
    engine.vault.use(engine.settings.vault_token)
    kv = engine.vault.kv(engine.settings.engine_kv_mount)
    kv.write("config/org", {"schema": 1, "login_url": CONFIG.login_url, "newer": "kept"}, 0)
    engine.store_connection("org", CONFIG, 1)
    assert kv.read("config/org").data["newer"] == "kept"
    assert engine.connections.get("org").record == CONFIG


def test_who_writes_a_connection_lets_its_identity_log_in_again(build):
    engine = build()
    engine.vault.use(engine.settings.vault_token)
    logins = []

    def refuse():
        logins.append(1)
        raise OrgRefused(faults.TABLE["INVALID_LOGIN"])

    config = replace(CONFIG, auth_method="password", username="admin@example.com", password=SecretStr("right"))
    sessions, identity = engine._orgs._admin_sessions, org._identity(config)
    for _ in range(2):
        with pytest.raises(OrgRefused):
            sessions.get(identity, refuse)
    assert len(logins) == 1
    engine.store_connection("org", config, None)
    with pytest.raises(OrgRefused):
        sessions.get(identity, refuse)
    assert len(logins) == 2


def test_salesforce_is_called_through_the_proxy_of_the_settings_alone(build, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as proxy, ThreadPoolExecutor(1) as threads:

        def refuse():
            connection, _ = proxy.accept()
            with connection:
                asked = connection.recv(65536)
                connection.sendall(b"HTTP/1.1 403 no\r\n\r\n")
            return asked

        monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
        asked = threads.submit(refuse)
        given = {"SALESFORCE_PROXY": f"http://127.0.0.1:{proxy.getsockname()[1]}"}
        engine = build(**given, SALESFORCE_PROXY_CREDENTIALS="user:secret")
        with pytest.raises(NotSent, match="the proxy answered with status 403"):
            engine._orgs.open(CONFIG).log_in("a@example.com", SecretStr("x"), None)
        assert asked.result(PATIENCE_SECONDS).startswith(b"CONNECT a.my.salesforce.com:443 HTTP/1.1\r\n")
