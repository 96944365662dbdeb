"""The handshake: who may start a plugin, and what it answers on stdout."""

import base64

import pytest

from vault_plugin_sdk.wire.handshake import COOKIE_NAME, COOKIE_VALUE, HandshakeError, handshake_line, read_invitation

INVITING = {COOKIE_NAME: COOKIE_VALUE, "PLUGIN_PROTOCOL_VERSIONS": "5", "PLUGIN_CLIENT_CERT": "a certificate"}


def test_a_server_that_speaks_version_5_is_answered():
    assert read_invitation(INVITING | {"UNRELATED": "x"}).host_certificate == "a certificate"
    assert read_invitation(INVITING | {"PLUGIN_PROTOCOL_VERSIONS": "4,5,6"})


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({COOKIE_NAME: ""}, "register it with a server"),
        ({COOKIE_NAME: "the cookie of database plugins"}, "register it with a server"),
        ({"PLUGIN_PROTOCOL_VERSIONS": "3,4"}, "speaks 5 only"),
        ({"PLUGIN_PROTOCOL_VERSIONS": ""}, "speaks 5 only"),
        ({"PLUGIN_CLIENT_CERT": ""}, "AutoMTLS"),
        ({"PLUGIN_MULTIPLEX_GRPC": "true"}, "container"),
    ],
)
def test_anyone_else_gets_one_sentence(change, says):
    with pytest.raises(HandshakeError, match=says) as refused:
        read_invitation(INVITING | change)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [600, 601, 602])
def test_the_line_has_six_fields_and_a_certificate_without_padding(size):
    certificate = bytes(size)

    line = handshake_line("/run/x/socket", certificate)

    core, app, network, address, protocol, encoded = line.removesuffix("\n").split("|")
    assert (core, app, network, address, protocol) == ("1", "5", "unix", "/run/x/socket", "grpc")
    assert "=" not in encoded
    assert base64.b64decode(encoded + "=" * (-len(encoded) % 4)) == certificate
