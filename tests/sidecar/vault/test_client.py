"""Vault's client, against the real server."""

import json
import secrets
import socket
import threading
import traceback
from itertools import product

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.store import Conflict, KvUnavailable
from vault_salesforce_sidecar.vault import client
from vault_salesforce_sidecar.vault.client import KvMount, Vault, VaultRefused


@pytest.fixture
def mount(server):
    return server.mount_kv()


@pytest.fixture
def kv(vault, mount):
    return vault.kv(mount)


def test_what_was_written_is_read(kv):
    assert kv.write("creds/crm", {"password": "p"}, 0) == 1
    found = kv.read("creds/crm")
    assert (found.data, found.version, found.custom_metadata) == ({"password": "p"}, 1, {})


def test_a_path_that_never_was_is_none(kv):
    assert kv.read("creds/nobody") is None


def test_a_write_on_top_of_another_version_is_a_conflict(kv):
    kv.write("a", {"n": 1}, 0)
    kv.write("a", {"n": 2}, 1)
    for stale in (0, 1):
        with pytest.raises(Conflict):
            kv.write("a", {"n": 3}, stale)
    assert kv.read("a").data == {"n": 2}


def test_only_one_of_many_writers_wins(kv):
    outcomes = []

    def write(number):
        try:
            outcomes.append(kv.write("race", {"n": number}, 0))
        except Conflict:
            outcomes.append("conflict")

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(map(str, outcomes)) == ["1", *["conflict"] * 7]


def test_a_deleted_version_has_a_number_and_no_data(server, mount, kv):
    kv.write("a", {"n": 1}, 0)
    server.ask("DELETE", f"{mount}/data/a")
    found = kv.read("a")
    assert (found.data, found.version) == (None, 1)
    assert kv.write("a", {"n": 2}, 1) == 2


def test_a_destroyed_version_has_a_number_and_no_data(server, mount, kv):
    kv.write("a", {"n": 1}, 0)
    server.ask("PUT", f"{mount}/destroy/a", {"versions": [1]})
    assert (kv.read("a").data, kv.read("a").version) == (None, 1)


def test_after_a_deletion_the_numbers_begin_again_so_that_a_sleepers_write_matches(server, mount, kv):
    """Why nothing of ours is ever deleted: neither the deletion nor the sleeper's write is stopped by check-and-set."""
    sleepers = kv.write("a", {"n": 1}, 0)
    kv.write("a", {"n": 2}, sleepers)
    server.ask("DELETE", f"{mount}/metadata/a")
    assert kv.write("a", {"of": "somebody else"}, 0) == sleepers
    assert kv.write("a", {"n": "the sleeper's"}, sleepers) == 2


def test_metadata_made_before_the_first_version_counts_as_nothing_there(server, mount, kv):
    kv.set_metadata("journal/x", max_versions=1)
    assert kv.read("journal/x") is None
    assert kv.write("journal/x", {"n": 1}, 0) == 1
    assert kv.write("journal/x", {"n": 2}, 1) == 2
    assert list(server.ask("GET", f"{mount}/metadata/journal/x")["data"]["versions"]) == ["2"]


def test_metadata_that_is_not_given_stays(server, mount, kv):
    kv.set_metadata("a", max_versions=3)
    kv.write("a", {}, 0)
    kv.set_metadata("a", custom_metadata={"role": "crm"})
    assert kv.read("a").custom_metadata == {"role": "crm"}
    assert server.ask("GET", f"{mount}/metadata/a")["data"]["max_versions"] == 3


def test_a_path_with_an_encoded_name_keeps_it(kv):
    kv.write("journal/a%40example.com%2Fb", {"n": 1}, 0)
    assert kv.read("journal/a%40example.com%2Fb").data == {"n": 1}
    assert kv.list("journal/") == ["a%40example.com%2Fb"]


def test_a_list_of_nothing_is_empty(kv):
    assert kv.list("static-roles/") == []


def test_the_mounts_own_settings_are_read(kv):
    assert kv.configuration()["cas_required"] is True


def test_a_mount_that_is_not_there_is_told_with_a_remedy(vault):
    for call in (
        lambda kv: kv.read("a"),
        lambda kv: kv.write("a", {}, 0),
        lambda kv: kv.list("a/"),
        KvMount.configuration,
    ):
        with pytest.raises(VaultRefused, match="nothing at no-such-mount/") as caught:
            call(vault.kv("no-such-mount"))
        assert caught.value.remedy


def test_a_forbidden_path_is_told_with_the_policys_remedy(server, pool, mount):
    token = server.ask("POST", "auth/token/create", {"policies": ["default"]})["auth"]["client_token"]
    vault, told = Vault(pool, server.addr), []
    vault.use(SecretStr(token))
    vault.forbidden = lambda: told.append("forbidden")
    with pytest.raises(VaultRefused, match=f"forbids read {mount}/data/a") as caught:
        vault.kv(mount).read("a")
    assert "policy" in caught.value.remedy
    assert token not in repr(caught.value)
    assert told == ["forbidden"]


def test_a_password_comes_from_the_named_policy(server, vault):
    policy = 'length = 24\nrule "charset" { charset = "abcdef" min-chars = 1 }'
    server.ask("PUT", "sys/policies/password/hex", {"policy": policy})
    password = vault.password_from_policy("hex")
    assert isinstance(password, SecretStr)
    assert len(password.reveal()) == 24


def test_a_policy_that_is_not_there_is_named(vault):
    with pytest.raises(VaultRefused, match=r"Vault has no password policy 'nobody'$") as caught:
        vault.password_from_policy("nobody")
    assert caught.value.status == 404


def test_any_path_is_written_and_answers_its_data(server, vault):
    server.ask("POST", "sys/policies/acl/p", {"policy": 'path "x" { capabilities = ["read"] }'})
    answer = vault.write("auth/token/create", {"policies": ["p"], "ttl": "60s"})
    assert answer == {}  # a token's answer is in `auth`
    assert vault.read("sys/policies/acl/p")["name"] == "p"


def test_a_namespace_is_one_of_its_own(server, pool):
    namespace = f"team-{secrets.token_hex(3)}"
    server.ask("POST", f"sys/namespaces/{namespace}")
    vault = Vault(pool, server.addr, namespace)
    vault.use(SecretStr(server.root_token))
    with pytest.raises(VaultRefused):
        vault.kv("secret").read("a")


def test_nothing_is_taken_from_the_environment(server, pool, monkeypatch, tmp_path):
    (tmp_path / ".vault-token").write_text(server.root_token)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("VAULT_TOKEN", server.root_token)
    monkeypatch.setenv("VAULT_ADDR", "http://127.0.0.1:1")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with pytest.raises(VaultRefused):
        Vault(pool, server.addr).read("sys/mounts")


def test_a_server_that_is_not_there_is_told_without_a_trace_of_the_token(pool):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        vault = Vault(pool, f"http://127.0.0.1:{unused.getsockname()[1]}")
        vault.use(SecretStr("hvs.secret"))
        with pytest.raises(KvUnavailable, match="gave no answer") as caught:
            vault.kv("kv").read("a")
    assert "hvs.secret" not in repr(caught.value) + repr(caught.value.__cause__)


@pytest.mark.parametrize("status", [400, 403, 404, 500, 503])
def test_what_was_sent_is_in_no_error_nor_in_what_caused_it(pool, status):
    address, seen = _one_answer(f"HTTP/1.1 {status} x\r\nContent-Length: 2\r\n\r\n{{}}".encode())
    vault, data = Vault(pool, address), {"password": "A-written-password-1"}
    vault.use(SecretStr("hvs.secret"))
    with pytest.raises((KvUnavailable, VaultRefused)) as caught:
        vault.kv("kv").write("a", data, 0)
    told = "".join(traceback.format_exception(caught.value)) + _chain(caught.value)
    assert b"hvs.secret" in seen[0]
    assert "hvs.secret" not in told
    assert data["password"] not in told


def _chain(error):
    """All that an exception and its causes hold."""
    return (
        "" if error is None else repr(error) + repr(vars(error)) + _chain(error.__cause__) + _chain(error.__context__)
    )


def _one_answer(text):
    """A server that answers one request with `text`; its address, and what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        with listener, listener.accept()[0] as connection:
            seen.append(connection.recv(65_536))
            connection.sendall(text)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", seen


def _standby(*answers):
    """A server that answers one request after the other with a status and JSON; its address, and what it was sent."""
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def serve():
        with listener:
            for status, body in answers:
                with listener.accept()[0] as connection:
                    seen.append(connection.recv(65_536).split(b" ", 1)[0])
                    text = json.dumps(body).encode()
                    head = f"HTTP/1.1 {status} x\r\nConnection: close\r\nContent-Length: {len(text)}\r\n\r\n"
                    connection.sendall(head.encode() + text)

    threading.Thread(target=serve, daemon=True).start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", seen


MISMATCH = (400, {"errors": ["check-and-set parameter did not match the current version"]})
WRITTEN = (200, {"data": {"version": 3}})


def _version(number):
    return 200, {"data": {"data": {"n": number}, "metadata": {"version": number}}}


def test_a_mismatch_at_a_standby_that_lags_is_not_believed(pool):
    address, seen = _standby(MISMATCH, _version(1), MISMATCH, _version(2), WRITTEN)
    assert Vault(pool, address).kv("kv").write("a", {"n": 3}, 2) == 3
    assert len(seen) == 5


def test_a_mismatch_is_believed_once_the_later_version_can_be_read(pool):
    address, seen = _standby(MISMATCH, _version(2), MISMATCH, _version(3))
    with pytest.raises(Conflict):
        Vault(pool, address).kv("kv").write("a", {"n": 3}, 2)
    assert len(seen) == 4


def test_a_standby_that_goes_on_to_lag_is_no_conflict_and_nothing_older_is_read_from_it(pool, monkeypatch):
    monkeypatch.setattr(client, "LAG_SECONDS", 0.0)
    is_standby = (429, {"standby": True})
    address, seen = _standby(WRITTEN, MISMATCH, _version(2), is_standby, _version(2), is_standby)
    kv = Vault(pool, address).kv("kv")
    kv.write("a", {"n": 3}, 2)
    with pytest.raises(KvUnavailable, match="does not know the newest version"):
        kv.write("a", {"n": 4}, 3)
    with pytest.raises(KvUnavailable, match="does not know the newest version"):
        kv.read("a")
    assert len(seen) == 6


def test_what_the_active_node_holds_is_all_there_is_since_vault_was_restored(pool, monkeypatch):
    monkeypatch.setattr(client, "LAG_SECONDS", 0.0)
    is_active = (200, {"standby": False})
    address, _ = _standby(
        WRITTEN, _version(1), is_active, _version(1), WRITTEN, MISMATCH, _version(1), is_active, _version(1)
    )
    kv = Vault(pool, address).kv("kv")
    kv.write("a", {"n": 3}, 2)
    assert kv.read("a").version == 1
    kv.write("a", {"n": 3}, 2)
    with pytest.raises(Conflict):
        kv.write("a", {"n": 4}, 3)
    assert kv.read("a").version == 1


def test_what_was_written_is_read_even_where_a_standby_does_not_know_it_yet(pool):
    address, _ = _standby(WRITTEN, _version(2), _version(2), _version(3))
    kv = Vault(pool, address).kv("kv")
    kv.write("a", {"n": 3}, 2)
    assert kv.read("a").version == 3


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (503, b'{"errors": ["Vault is sealed"]}', "Vault is sealed"),
        (307, b"", "status 307"),
        (500, b"not json!", "status 500"),
        (429, b"", "limits the rate"),
    ],
)
def test_a_server_that_does_not_do_it_is_away(pool, status, body, sentence):
    head = f"HTTP/1.1 {status} x\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: {len(body)}\r\n\r\n"
    address, _ = _one_answer(head.encode() + body)
    with pytest.raises(KvUnavailable, match=sentence):
        Vault(pool, address).kv("kv").write("a", {}, 0)


CALLS = {
    "read": lambda vault: vault.kv("kv").read("a"),
    "write": lambda vault: vault.kv("kv").write("a", {}, 0),
    "list": lambda vault: vault.kv("kv").list("a/"),
    "read a path": lambda vault: vault.read("sys/x"),
    "a password": lambda vault: vault.password_from_policy("p"),
    "log in": lambda vault: vault.log_in("approle", role_id="r"),
    "look up": lambda vault: vault.look_up(SecretStr("t")),
    "renew": lambda vault: vault.renew(),
    "unwrap": lambda vault: vault.unwrap(SecretStr("t")),
}
WRITES_TO_THE_MOUNT = {
    "metadata": lambda vault: vault.kv("kv").set_metadata("a", max_versions=1),
    "write a path": lambda vault: vault.write("sf/published/crm", {}),
}
ANY_OBJECT = ("read a path", "unwrap")
PAGE = b"<html>We are down for maintenance.</html>"
PAGES = {
    "a page": (200, PAGE),
    "nothing": (200, b""),
    "a page that is not found": (404, PAGE),
    "a page of a firewall": (403, PAGE),
    "a refusal by a page": (400, PAGE),
    "a list": (200, b"[]"),
    "what is deep": (200, b'{"data":' + b"[" * 5_000 + b"]" * 5_000 + b"}"),
    "what is no number": (200, b'{"data": {"data": {}, "metadata": {"version": NaN}, "keys": NaN}}'),
}
SHAPES = {
    "an empty object": b"{}",
    "text for data": b'{"data": "x", "auth": "x"}',
    "other members": b'{"data": {"data": 3, "metadata": {"version": "x"}, "keys": [7], "ttl": "x"}, "auth": {}}',
}


@pytest.mark.parametrize("what", PAGES)
@pytest.mark.parametrize("call", CALLS | WRITES_TO_THE_MOUNT)
def test_what_stands_in_front_of_vault_is_not_taken_for_an_empty_vault(pool, call, what):
    status, body = PAGES[what]
    address, _ = _one_answer(f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    vault = Vault(pool, address)
    with pytest.raises(KvUnavailable, match="what answers there is not Vault") as told:
        (CALLS | WRITES_TO_THE_MOUNT)[call](vault)
    # Whether it was passed on before that was said, nobody knows.
    assert not isinstance(told.value, VaultRefused)
    assert not told.value.nothing_done


@pytest.mark.parametrize(
    ("call", "what"),
    # What is read at a path, or was wrapped, may be any object.
    [(call, what) for call in CALLS for what in SHAPES if (call, what) not in product(ANY_OBJECT, ["other members"])],
)
def test_an_answer_of_another_shape_than_vaults_is_none(pool, call, what):
    body = SHAPES[what]
    address, _ = _one_answer(f"HTTP/1.1 200 x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    with pytest.raises(KvUnavailable, match="what answers there is not Vault"):
        CALLS[call](Vault(pool, address))


def test_a_write_whose_answer_was_lost_is_not_sent_again(pool):
    address, seen = _one_answer(b"")
    with pytest.raises(KvUnavailable):
        Vault(pool, address).kv("kv").write("a", {}, 0)
    assert len(seen) == 1
