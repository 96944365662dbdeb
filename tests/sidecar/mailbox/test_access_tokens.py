"""Access tokens: the given one as it is, or fetched where the secret says, kept for as long as they live."""

import http.server
import json
import ssl
import threading
from urllib.parse import parse_qsl

import pytest
import trustme

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox import access_tokens
from vault_salesforce_sidecar.mailbox.access_tokens import AccessTokens, secret_fault
from vault_salesforce_sidecar.mailbox.mail import MailboxUnavailable
from vault_salesforce_sidecar.mailbox.metered import tls_context


class Issuer(http.server.BaseHTTPRequestHandler):
    """Answers what the test says, and notes what it was sent."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.asked.append((self.path, dict(parse_qsl(body))))
        status, answer = self.server.answer
        self.send_response(status)
        self.send_header("Location", "https://127.0.0.1:1/elsewhere")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Nobody reads it."""


@pytest.fixture
def issuer():
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = http.server.HTTPServer(("127.0.0.1", 0), Issuer)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.asked, server.answer = [], (200, json.dumps({"access_token": "at-1", "expires_in": 3600}).encode())
    server.context = tls_context(authority.cert_pem.bytes().decode())
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def secret_of(server, **fields):
    url = f"https://127.0.0.1:{server.server_address[1]}/tenant/token?x=1"
    return SecretStr(json.dumps({"token_url": url, "client_id": "id", "client_secret": "hidden"} | fields))


def test_a_given_token_is_used_as_it_is(issuer):
    assert AccessTokens(SecretStr("given"), issuer.context).current().reveal() == "given"
    assert issuer.asked == []


def test_a_token_is_fetched_once_for_as_long_as_it_lives(issuer):
    tokens = AccessTokens(secret_of(issuer, grant_type="client_credentials"), issuer.context)
    assert [tokens.current().reveal() for _ in range(3)] == ["at-1"] * 3
    form = {"client_id": "id", "client_secret": "hidden", "grant_type": "client_credentials"}
    assert issuer.asked == [("/tenant/token?x=1", form)]
    tokens.forget()
    tokens.current()
    assert len(issuer.asked) == 2


def test_a_token_that_lives_no_longer_is_fetched_anew(issuer):
    issuer.answer = (200, b'{"access_token": "at-1", "expires_in": 60}')
    tokens = AccessTokens(secret_of(issuer), issuer.context)
    tokens.current()
    tokens.current()
    assert len(issuer.asked) == 2


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((401, b'{"error": "invalid_client", "error_description": "hidden is wrong"}'), "401, invalid_client"),
        ((400, b'{"error": "hidden is wrong"}'), "400, no token"),
        ((302, b"{}"), "302"),
        ((200, b"{}"), "no token"),
        ((200, b"[]"), "no token"),
        ((200, b"<html>"), "no token"),
        ((200, b'{"access_token": 7}'), "no token"),
        ((200, b'{"access_token": "two words"}'), "no token"),
        ((200, b'{"access_token": "a\\u0001b"}'), "no token"),
        ((200, b'{"access_token": "\\ud800"}'), "no token"),
        ((200, b'{"access_token": "at-1", "expires_in": 1e999}'), "no token"),
        ((200, b'{"a":' * 5_000 + b"1" + b"}" * 5_000), "no token"),
        ((200, b'{"access_token": "' + b"x" * access_tokens.LONGEST_ANSWER + b'"}'), "too large|no readable|no token"),
    ],
)
def test_an_issuer_that_gives_none_is_told_without_the_secret(issuer, answer, why):
    issuer.answer = answer
    with pytest.raises(MailboxUnavailable, match=why) as error:
        AccessTokens(secret_of(issuer), issuer.context).current()
    assert "hidden" not in str(error.value)
    assert len(issuer.asked) == 1


@pytest.mark.parametrize("seconds", ["1" + "0" * 400, "-1" + "0" * 400, "1e300", "true", '"soon"', "null", "[]"])
def test_whatever_an_issuer_says_of_its_life_a_token_is_one(issuer, seconds):
    issuer.answer = (200, b'{"access_token": "at-1", "expires_in": %s}' % seconds.encode())
    assert AccessTokens(secret_of(issuer), issuer.context).current().reveal() == "at-1"


def test_an_issuer_that_nobody_vouches_for_gets_no_secret(issuer):
    with pytest.raises(MailboxUnavailable, match="certificate"):
        AccessTokens(secret_of(issuer), tls_context("")).current()
    assert issuer.asked == []


@pytest.mark.parametrize(
    ("secret", "fault"),
    [
        ("an opaque token", None),
        ('{"token_url": "https://x.example/token", "client_id": "id"}', None),
        ('{"token_url": "http://x.example/token"}', "must name token_url"),
        ('{"token_url": "https://hidden@x.example/token"}', "must name token_url"),
        ('{"token_url": "https://[hidden/token"}', "must name token_url"),
        ('{"token_url": "https://x.example:99999/hidden"}', "must name token_url"),
        ('{"client_id": "hidden"}', "must name token_url"),
        ('{"token_url": "https://x.example/token", "scope": 7}', "must hold texts alone"),
        ("{hidden", "is no JSON"),
        ('{"hidden":' * 100_000, "is no JSON"),
    ],
)
def test_a_secret_that_cannot_be_one_is_told_without_repeating_it(secret, fault):
    told = secret_fault(SecretStr(secret))
    assert told is None if fault is None else fault in told
    assert "hidden" not in str(told)
