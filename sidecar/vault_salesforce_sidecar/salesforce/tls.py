"""TLS settings of a connection: who may vouch for the org, and the certificate that is shown to it."""

import functools
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce.lines import BoundedTls

_NO_SECRET = SecretStr("")


@functools.lru_cache(maxsize=64)
def tls_context(ca_cert: str, client_cert: str = "", client_key: SecretStr = _NO_SECRET) -> ssl.SSLContext:
    """The settings, made once for the same arguments: loading the system's authorities costs 30 ms each time.

    Args:
        ca_cert: PEM of the authorities; empty: the system's.
        client_cert: PEM of the certificate to show, and of those above it; empty: none.
        client_key: PEM of its private key, which is not itself encrypted.

    Raises: ValueError: the end of a sentence that begins with the field's name.
    """
    try:
        context = ssl.create_default_context(cadata=ca_cert or None)
    except (ssl.SSLError, TypeError) as exc:  # TypeError: not even ASCII
        raise ValueError("ca_cert must be certificates in PEM") from exc
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslsocket_class = BoundedTls
    if client_cert or client_key:
        _identify(context, client_cert, client_key)
    return context


def _identify(context: ssl.SSLContext, client_cert: str, client_key: SecretStr) -> None:
    with _in_memory(client_cert) as certificate, _in_memory(client_key.reveal()) as key:
        try:
            # Without a password OpenSSL would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (ssl.SSLError, ValueError) as exc:
            raise ValueError(
                "client_cert and client_key must be a certificate and its own private key, unencrypted, in PEM"
            ) from exc


@contextmanager
def _in_memory(text: str) -> Iterator[str]:
    """A file's name for OpenSSL, which reads nothing else; the text is on no disk."""
    with os.fdopen(os.memfd_create("pem"), "wb") as file:
        file.write(text.encode())
        file.flush()
        yield f"/proc/self/fd/{file.fileno()}"
