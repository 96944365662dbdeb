"""No password, token or key in any log, error or process list of whole rotations, good and bad ones."""

from pathlib import Path

import pytest

pytestmark = pytest.mark.system


class Seen:
    """Every secret that a test has come across."""

    def __init__(self, product):
        self.product = product
        self.secrets = {product.stack.vault.root_token}

    def note(self, account):
        """The secrets of an account as they are now, in KV and in the journal."""
        for record in (self.product.kv(account), self.product.journal(account)):
            for name, value in record.items():
                if name.endswith(("password", "token")) and isinstance(value, str):
                    self.secrets.add(value)
        mails = self.product.org.ask("GET", f"mailbox/{account.username}").data
        for mail in mails:
            self.secrets |= {word for word in mail["body"].split() if len(word) in (24, 25) and word.isalnum()}

    def found_in(self, text):
        return [secret[:4] for secret in self.secrets if len(secret) > 8 and secret in text]


@pytest.fixture
def seen(product):
    """The secrets of a rotation that went well, of one that went wrong, and of a role that was refused."""
    seen = Seen(product)
    well = product.account_with_token()
    seen.note(well)
    assert product.rotate(well).data["done"] is True
    seen.note(well)
    product.vault.ask("GET", f"v1/sf/creds/{well.role}")

    wrong = product.account()
    seen.note(wrong)
    product.misbehave(wrong, refuse_before={"code": "INVALID_NEW_PASSWORD", "operation": "changeOwnPassword"})
    answer = product.rotate(wrong)
    seen.note(wrong)
    assert not seen.found_in(str(answer.body))
    assert not seen.found_in(str(product.status(wrong)))

    password = product.password()
    seen.secrets.add(password)
    body = {"config": "demo", "username": product.user(), "password": password}
    refused = product.vault.send("POST", "v1/sf/static-roles/refused", body)
    assert refused.status == 424
    assert not seen.found_in(str(refused.body))
    misspelt = product.vault.send("POST", "v1/sf/static-roles/refused", body | {"pasword": password})
    assert misspelt.status == 400
    assert not seen.found_in(str(misspelt.body))
    return seen


def test_no_secret_is_where_it_does_not_belong(product, stack, seen):
    assert len(seen.secrets) >= 6
    seen.secrets.add((stack.directory / "sidecar" / "secret-id").read_text())
    logs = [*stack.directory.rglob("*.out"), *stack.directory.rglob("*.err"), *stack.directory.rglob("audit.log")]
    assert len(logs) >= 7
    for log in logs:
        text = log.read_text(errors="replace")
        assert not seen.found_in(text), log.name
        assert "BEGIN PRIVATE KEY" not in text, log.name
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = command_line.read_bytes().decode(errors="replace")
        except OSError:
            continue
        assert not seen.found_in(text), command_line


def test_the_server_never_shows_a_secret_where_a_path_promises_none(product, seen):
    account = product.account_with_token()
    product.rotate(account)
    seen.note(account)
    for path in ("version", "status", "history", "static-roles", "published"):
        assert not seen.found_in(str(product.vault.ask("GET", f"v1/sf/{path}/{account.role}").body)), path
    for path in ("info", "config/demo"):
        assert not seen.found_in(str(product.vault.ask("GET", f"v1/sf/{path}").body)), path
