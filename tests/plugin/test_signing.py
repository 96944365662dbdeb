"""The process's key."""

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract.forwarding import ALGORITHM, Claims, body_digest
from vault_salesforce_plugin.signing import Signer

CLAIMS = Claims(
    iss="test_accessor",
    aud="one",
    jti="request-1",
    iat=1_893_499_200,
    exp=4_102_444_800,
    operation=Operation.UPDATE,
    path="rotate/crm",
    digest=body_digest(b"{}"),
    caller=Caller("request-1", "alice", "e-alice", "accessor", "192.0.2.1"),
)


def verified(token, key, **options):
    return jwt.decode(token, key, algorithms=[ALGORITHM], options=options or {"verify_iat": False}, audience="one")


def test_what_is_signed_reads_back_as_the_claims_with_the_public_key_alone():
    signer = Signer()
    load_pem_public_key(signer.public_key.encode())
    assert Claims.from_payload(verified(signer.sign(CLAIMS), signer.public_key)) == CLAIMS


def test_no_two_processes_have_one_key():
    one, other = Signer(), Signer()
    with pytest.raises(jwt.InvalidSignatureError):
        verified(one.sign(CLAIMS), other.public_key)


def test_a_changed_byte_is_noticed():
    signer = Signer()
    head, payload, signature = signer.sign(CLAIMS).split(".")
    with pytest.raises(jwt.InvalidTokenError):
        verified(".".join((head, payload[:-2] + "AA", signature)), signer.public_key)
