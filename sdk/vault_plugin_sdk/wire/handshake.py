"""go-plugin's handshake: what the host tells in the environment, and the one line it waits for on stdout. Pure."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

# The value is public; it only tells a host apart from a person who runs the file by hand.
COOKIE_NAME = "VAULT_BACKEND_PLUGIN"
COOKIE_VALUE = "6669da05-b1c8-4f49-97d9-c8e5bed98e20"

CORE_PROTOCOL = 1
APP_PROTOCOL = 5


class HandshakeError(Exception):
    """This process cannot be a plugin of whoever started it; the text is one sentence for the server's log."""


@dataclass(frozen=True)
class Invitation:
    """What the host asks for.

    Attributes:
        host_certificate: PEM of the host's one-time certificate; nobody else may connect.
    """

    host_certificate: str


def read_invitation(environ: Mapping[str, str]) -> Invitation:
    """Check that a Vault or OpenBao server started this process in a way that it can serve.

    Args:
        environ: The process's environment.

    Returns:
        What the host asks for.

    Raises:
        HandshakeError: Started by hand, by another kind of plugin host, for an older protocol, without AutoMTLS, or by
            a container runtime.
    """
    if environ.get(COOKIE_NAME) != COOKIE_VALUE:
        raise HandshakeError("this program is a Vault plugin: register it with a server, which then runs it")
    offered = environ.get("PLUGIN_PROTOCOL_VERSIONS", "").split(",")
    if str(APP_PROTOCOL) not in offered:
        shown = "".join(filter(str.isprintable, ",".join(offered)))[:40]  # it may be anything, and goes to a log
        # The server falls back to 3 and 4 after any failure of 5: serving those would hide the first failure.
        raise HandshakeError(
            f"the server offers plugin protocol {shown or 'none'}, this plugin speaks {APP_PROTOCOL} only; "
            "if an attempt with 5 came before this one, its error is the one to mend"
        )
    certificate = environ.get("PLUGIN_CLIENT_CERT", "")
    if not certificate:
        raise HandshakeError("the server sent no client certificate (PLUGIN_CLIENT_CERT): AutoMTLS must be on")
    if environ.get("PLUGIN_MULTIPLEX_GRPC", "").lower() in {"1", "true"}:
        raise HandshakeError("the server wants a multiplexed broker, as container runtimes do: not supported")
    return Invitation(host_certificate=certificate)


def handshake_line(socket_path: str, certificate_der: bytes) -> str:
    """The line that tells the host where to connect and whom to trust.

    Args:
        socket_path: Path of the unix socket that this process listens on.
        certificate_der: This process's own certificate.

    Returns:
        The line, newline included.
    """
    certificate = base64.b64encode(certificate_der).decode().rstrip("=")  # the host decodes base64 without padding
    return f"{CORE_PROTOCOL}|{APP_PROTOCOL}|unix|{socket_path}|grpc|{certificate}\n"
