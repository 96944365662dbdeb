"""A request that the plugin passes on: its claims, signed by the plugin, and the digest that ties the body to them.

On the wire: `<METHOD> <sidecar>/v1/<path>`, the JSON body as the client gave it, `Authorization: Bearer <EdDSA JWT>`.
The answer is Vault's shape: `{"data": …, "warnings": […]}`, or `{"errors": […], "code", "remedy", …}`.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from vault_plugin_sdk.logical.request import Caller, Operation

ALGORITHM = "EdDSA"
LIFETIME_SECONDS = 30
# The claims are sent in a header, whose size a web server bounds: what a caller chooses freely is bounded before.
MAX_PATH_BYTES = 4096  # as it stands in the URL
MAX_WORD = 128  # characters of a name of the caller's
# The HTTP method of each operation; the operation itself is in the claims.
METHODS = {
    Operation.CREATE: "POST",
    Operation.UPDATE: "POST",
    Operation.PATCH: "PATCH",
    Operation.READ: "GET",
    Operation.LIST: "GET",
    Operation.DELETE: "DELETE",
}
UNKNOWN_KEY = "unknown_key"  # code of the 401 that says: nothing was done, register me first
# Codes of the 503 that says: nothing was done, for this sidecar comes up or goes down, or its clock is wrong; another
# may be asked.
NOT_UP, STOPPING, CLOCK_SKEW = "not_up", "stopping", "clock_skew"


@dataclass(frozen=True)
class Claims:
    """What the signature covers.

    Attributes:
        iss: Accessor of the mount.
        aud: Instance name of the sidecar that it is meant for.
        jti: Vault's request id: the same id and digest is the same job.
        iat: Seconds since the epoch.
        exp: The same, `LIFETIME_SECONDS` later.
        operation: What is asked.
        path: Below the mount.
        digest: Of the body, see `body_digest`.
        caller: Who asked.
    """

    iss: str
    aud: str
    jti: str
    iat: int
    exp: int
    operation: Operation
    path: str
    digest: str
    caller: Caller

    def to_payload(self) -> dict[str, Any]:
        """The JWT's payload; the caller's names are cut to `MAX_WORD`."""
        caller = {name: word[:MAX_WORD] for name, word in asdict(self.caller).items()}
        return asdict(self) | {"operation": self.operation.value, "caller": caller}

    @classmethod
    def from_payload(cls, payload: Mapping[str, Any]) -> "Claims":
        """Read a verified payload.

        Raises: KeyError, TypeError, ValueError, AttributeError, OverflowError where it is not of this shape.
        """
        return cls(
            iss=str(payload["iss"]),
            aud=str(payload["aud"]),
            jti=str(payload["jti"]),
            iat=int(payload["iat"]),
            exp=int(payload["exp"]),
            operation=Operation(payload["operation"]),
            path=str(payload["path"]),
            digest=str(payload["digest"]),
            caller=Caller.from_data(payload["caller"]),
        )


def body_digest(body: bytes) -> str:
    """SHA-256 of the body as sent, in hex."""
    return hashlib.sha256(body).hexdigest()
