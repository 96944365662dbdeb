"""What the plugin says in the server's own log: each at its level, with fields, and nothing for a read."""

import re
import secrets

import pytest

pytestmark = pytest.mark.system

PLUGIN = "vault-plugin-secrets-salesforce"
LINE = re.compile(rf"\[(\w+)\] +secrets\.{PLUGIN}\S*: (.*?): (\S+=.*)")


def logged(stack):
    """The plugin's lines: level, message, fields."""
    found = (LINE.search(line) for line in stack.vault.part.errors.read_text().splitlines())
    return [(one[1], one[2], dict(re.findall(r'(\S+?)=("[^"]*"|\S*)', one[3]))) for one in found if one]


def said(stack, message):
    return [(level, fields) for level, told, fields in logged(stack) if told == message]


def registrations(stack):
    """Those of the stack's own sidecar; other tests add more."""
    return [(level, fields) for level, fields in said(stack, "a sidecar registered") if fields["instance"] == "dev"]


def test_a_registration_is_told_once_and_its_heartbeats_are_not(product, stack):
    registered = registrations(stack)
    level, fields = registered[-1]
    assert level == "INFO"
    assert (fields["url"], fields["contract"]) == (stack.sidecar.url, "1")
    assert fields["@module"] == "vault_salesforce_plugin.sidecars"
    account = product.account()
    product.rotate(account)  # which begins and ends with a heartbeat
    assert registrations(stack) == registered


def test_a_sidecar_that_is_refused_is_warned_of_once(product, stack):
    heartbeat = {"url": stack.sidecar.url, "certificate": "none", "version": "9", "contract": 1}
    stranger, before = f"stranger-{secrets.token_hex(4)}", len(said(stack, "a sidecar was refused"))
    for _ in range(3):
        assert product.vault.send("POST", f"v1/sf/sidecar/{stranger}", heartbeat).status == 400
    certificate = product.vault.ask("GET", "v1/sf/sidecar/dev").data["certificate"]
    taken = heartbeat | {"certificate": certificate}
    for _ in range(3):
        assert product.vault.send("POST", "v1/sf/sidecar/dev", taken).body["code"] == "instance_taken"
    refused = [(level, fields["instance"]) for level, fields in said(stack, "a sidecar was refused")[before:]]
    assert refused.count(("WARN", stranger)) == 1
    assert refused.count(("WARN", "dev")) <= 1  # the same may have been said before
    reason = next(fields["reason"] for _, fields in said(stack, "a sidecar was refused") if fields["instance"] == "dev")
    assert "another identity" in reason


def test_reads_leases_and_mistakes_are_told_nobody(product, stack):
    account = product.account(rotate_on_lease_end="any")
    before = logged(stack)
    for _ in range(10):
        for path in ("static-creds", "version", "status"):
            product.vault.ask("GET", f"v1/sf/{path}/{account.role}")
        lease = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
        product.vault.ask("PUT", "v1/sys/leases/renew", {"lease_id": lease})
        product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": lease, "sync": True})
        assert product.vault.send("GET", "v1/sf/creds/nobody").status == 404
        assert product.vault.send("POST", f"v1/sf/rotate/{account.role}", {"nonsense": 1}).status == 400
    product.vault.ask("GET", "v1/sf/info")
    assert logged(stack) == before
