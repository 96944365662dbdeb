"""The way to Vault: whoever cannot show a certificate that the settings trust gets no login and no token."""

import socket
import ssl
import threading

import pytest
import trustme

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Vault
from vault_salesforce_sidecar.vault.transport import open_pool

TOKEN = "hvs.made-for-this-test"


class Listener:
    """A server with a certificate, and what it was sent inside TLS."""

    def __init__(self, authority, name):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(self.context)
        self.seen = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with self._listener, self._listener.accept()[0] as plain:
            plain.settimeout(10)
            try:
                with self.context.wrap_socket(plain, server_side=True) as connection:
                    self.seen = connection.recv(65536)
                    connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":{}}')
            except OSError:
                return

    def ended(self):
        self._thread.join(10)
        return not self._thread.is_alive()


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def ask(listener, trusted, directory):
    """Read with a token, trusting an authority."""
    file = directory / "ca.pem"
    trusted.cert_pem.write_to_path(file)
    pool = open_pool(str(file), 1)
    try:
        vault = Vault(pool, listener.address)
        vault.use(SecretStr(TOKEN))
        return vault.read("sys/mounts")
    finally:
        pool.clear()


def test_a_vault_that_the_settings_trust_is_asked_with_the_token(authority, tmp_path):
    listener = Listener(authority, "127.0.0.1")
    assert ask(listener, authority, tmp_path) == {}
    assert listener.ended()
    assert TOKEN.encode() in listener.seen


@pytest.mark.parametrize("name", ["127.0.0.1", "vault.example.com"], ids=["another authority", "another name"])
def test_a_vault_that_nobody_vouches_for_gets_no_login(authority, tmp_path, name):
    listener = Listener(authority, name)
    trusted = trustme.CA() if name == "127.0.0.1" else authority
    with pytest.raises(KvUnavailable):
        ask(listener, trusted, tmp_path)
    assert listener.ended()
    assert listener.seen == b""
