"""Tokens that come through a real mail server, or are handed in within their mail, from the command line to KV."""

import mailbox
import secrets

import pytest
from dovecot import PASSWORD, Dovecot, why_not

pytestmark = pytest.mark.system

USER = "sf"


@pytest.fixture(scope="module")
def dovecot():
    if reason := why_not():
        pytest.skip(reason)
    server = Dovecot()
    try:
        server.start()
        server.empty()
        yield server
    finally:
        server.remove()


class Carrier:
    """Brings the mails of one user from where the org leaves them."""

    def __init__(self, product, username):
        self._box = mailbox.Maildir(product.stack.orgsim.mail, create=False)
        self._username = username
        self._brought = set(self._keys())

    def fresh(self):
        """The mails that came since the last time, raw, oldest first."""
        keys = [key for key in self._keys() if key not in self._brought]
        self._brought.update(keys)
        return [self._box.get_bytes(key) for key in keys]

    def _keys(self):
        return sorted(key for key in self._box.iterkeys() if self._username.encode() in self._box.get_bytes(key))


def with_token(product, config, **fields):
    """A user who needs a token, their role, and the mail that their first token came by."""
    password = product.password()
    username = product.user(password=password, login_ranges=[], ever_reset_token_manually=True)
    carrier = Carrier(product, username)
    return product.role(username, password=password, config=config, **fields), carrier


@pytest.fixture
def connection(product, dovecot):
    """A connection to the org whose mailbox is at that server."""
    name = f"c{secrets.token_hex(4)}"
    written = product.bao(
        "write",
        f"sf/config/{name}",
        f"login_url={product.stack.orgsim.url}",
        "allowed_roles=*",
        f"mailbox=imaps://{USER}@127.0.0.1:{dovecot.port}/INBOX",
        f"mailbox_password={PASSWORD}",
        f"ca_cert={dovecot.ca_cert}",
    )
    assert written.returncode == 0, written.stderr
    return name


def test_a_role_lives_on_tokens_that_a_mail_server_brings(product, dovecot, connection):
    account, carrier = with_token(product, connection, security_token_from="mailbox")
    product.org.ask("POST", f"users/{account.username}/reset-security-token")

    def until(version):
        def look():
            for raw in carrier.fresh():
                dovecot.deliver(raw, USER)
            return product.version(account) == version

        product.until(look, f"version {version}")

    until(1)
    for version in (2, 3):
        product.rotate(account, wait=0)  # the test brings the mail itself
        until(version)
    status = product.status(account)
    assert (status["state"], status["token_state"]) == ("ok", "fresh")
    assert status["token_reason"] == "It came by mail, and a login proved it."
    assert product.is_live(account)
    assert product.counted(account)["failed_logins"] == 0
    product.until(lambda: len(dovecot.maildir(USER)) == 0, "an empty mailbox")
    assert PASSWORD not in str(product.vault.ask("GET", f"v1/sf/config/{connection}").data)


def test_a_whole_mail_is_handed_in_from_a_file(product, connection, tmp_path):
    account, carrier = with_token(product, connection, security_token_from="mailbox")
    product.org.ask("POST", f"users/{account.username}/reset-security-token")
    (raw,) = carrier.fresh()
    (tmp_path / "token.eml").write_bytes(raw)
    other = raw.replace(account.username.encode(), b"somebody.else@example.com")
    (tmp_path / "other.eml").write_bytes(other)
    refused = product.bao("write", f"sf/security-token/{account.role}", f"mail=@{tmp_path}/other.eml")
    assert f"does not name {account.username}" in refused.stderr
    taken = product.bao("write", f"sf/security-token/{account.role}", f"mail=@{tmp_path}/token.eml", "wait=10")
    assert taken.returncode == 0, taken.stderr
    product.until(lambda: product.version(account) == 1, "version 1")
    assert product.is_live(account)
    token = product.kv(account)["security_token"]
    for part in product.stack.parts():
        for log in (part.output, part.errors):
            assert not log.exists() or token not in log.read_text(errors="replace")
