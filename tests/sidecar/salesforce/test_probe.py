"""How far one comes to a login host without a credential."""

import http.server
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.probe import probe

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Host:
    """A host on this machine, with a clock of its own."""

    def __init__(self, context=None, date="Tue, 01 Jan 2030 00:00:40 GMT"):
        self.asked = []
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                host.asked.append((self.path, dict(self.headers)))
                body = json.dumps([{"version": "63.0"}, {"version": "64.0"}]).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def date_time_string(self, timestamp=None):
                return date

            def log_message(self, *_):
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if context:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = f"http{'s' if context else ''}://localhost:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def secured(authority):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    host = Host(context)
    yield host
    host.close()


def test_a_host_tells_its_certificate_its_clock_and_its_versions_and_is_sent_nothing(secured, ca_cert):
    config = Config(login_url=secured.url, ca_cert=ca_cert)
    reach = probe(config, None, lambda: NOW)

    assert reach.fault == ""
    assert set(reach.addresses) <= {"127.0.0.1", "::1"}
    assert reach.tls_version == "TLSv1.3"
    assert reach.not_after > datetime.now(UTC) + timedelta(days=1)
    assert reach.skew_seconds == 40
    assert reach.versions == ("63.0", "64.0")
    ((path, headers),) = secured.asked
    assert path == "/services/data/"
    assert "Authorization" not in headers


def test_a_certificate_that_nobody_vouches_for_is_told(secured):
    reach = probe(Config(login_url=secured.url), None, lambda: NOW)
    assert reach.is_untrusted
    assert "self" in reach.fault or "issuer" in reach.fault
    assert secured.asked == []


def test_a_host_without_tls_is_told_as_such():
    host = Host()
    try:
        reach = probe(Config(login_url=host.url), None, lambda: NOW)
    finally:
        host.close()
    assert (reach.is_tls, reach.fault, reach.not_after) == (False, "", None)
    assert reach.versions


@pytest.mark.parametrize("date", ["Tue, 01 Jan 2030 00:00:40 -0000", "yesterday", ""])
def test_a_date_that_tells_no_moment_is_no_fault(date):
    host = Host(date=date)
    try:
        reach = probe(Config(login_url=host.url), None, lambda: NOW)
    finally:
        host.close()
    assert (reach.fault, reach.skew_seconds) == ("", None)
    assert reach.versions


def test_a_closed_door_is_told_with_its_port():
    reach = probe(Config(login_url="http://127.0.0.1:9"), None, lambda: NOW)
    assert reach.addresses == ("127.0.0.1",)
    assert "127.0.0.1:9" in reach.fault


def test_a_name_that_leads_nowhere_is_told(monkeypatch):
    import socket

    def nowhere(*_args, **_kwargs):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    reach = probe(Config(login_url="https://acme.my.salesforce.com"), None, lambda: NOW)
    assert reach.addresses == ()
    assert "acme.my.salesforce.com" in reach.fault
