"""This process's key: what it signs, a sidecar believes to come from the mount. The only module that imports PyJWT."""

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from vault_salesforce_contract.forwarding import ALGORITHM, Claims


class Signer:
    """An Ed25519 key pair, in memory only: nothing that can sign is stored, backed up or cloned."""

    def __init__(self) -> None:
        self._key = Ed25519PrivateKey.generate()

    @property
    def public_key(self) -> str:
        """PEM of the public key."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def sign(self, claims: Claims) -> str:
        """The claims as a compact JWT."""
        return jwt.encode(claims.to_payload(), self._key, algorithm=ALGORITHM)
