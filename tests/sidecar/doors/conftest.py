"""A plugin's signature, and the one who is to believe it."""

import json
import time
from dataclasses import replace

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract.forwarding import ALGORITHM, LIFETIME_SECONDS, METHODS, Claims, body_digest
from vault_salesforce_sidecar.vault.register import Trust


class Registrar:
    """Who knows the plugin's key."""

    def __init__(self, trust):
        self.trust = trust
        self.refreshed = 0
        self.woken = 0

    def refresh(self, _seconds):
        self.refreshed += 1

    def soon(self):
        self.woken += 1


class Plugin:
    """Signs requests as the plugin does."""

    def __init__(self):
        self.key = Ed25519PrivateKey.generate()
        self.requests = 0

    @property
    def trust(self):
        return Trust("acc", self.key.public_key())

    def signed(self, operation, path, body=None, *, key=None, request_id=None, without=None, content=None, **claims):
        """Method, path, header and body of a request."""
        self.requests += 1
        if content is None:
            content = b"" if body is None else json.dumps(body).encode()
        now = int(time.time())
        made = Claims(
            iss="acc",
            aud="one",
            jti=request_id or f"request-{self.requests}",
            iat=now,
            exp=now + LIFETIME_SECONDS,
            operation=Operation(operation),
            path=path,
            digest=body_digest(content),
            caller=Caller("request-1", "userpass-ann", "entity-1", "accessor-1", "10.0.0.9"),
        )
        payload = replace(made, **claims).to_payload()
        payload.pop(without, None)
        token = jwt.encode(payload, key or self.key, ALGORITHM)
        return METHODS[Operation(operation)], path, f"Bearer {token}", content


@pytest.fixture
def plugin():
    return Plugin()


@pytest.fixture
def registrar(plugin):
    return Registrar(plugin.trust)
