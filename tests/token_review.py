"""A stand-in for the one part of a Kubernetes API server that Vault's Kubernetes login asks: the TokenReview API."""

import http.server
import json
import threading
import time
import uuid
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ISSUER = "https://kubernetes.default.svc.cluster.local"
AUDIENCE = "vault"
REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"
_ALGORITHM = "RS256"
_CLOCK_SKEW_SECONDS = 10


@dataclass
class TokenReview:
    """Signs service-account tokens and reviews them, on loopback; a context manager, or `start` and `close`.

    Attributes:
        reviewed: User names of the tokens that were found good, in order.
    """

    reviewed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        self._revoked: set[str] = set()
        self._uids: dict[str, str] = {}
        review = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                bearer = self.headers.get("Authorization", "").removeprefix("Bearer ")
                status, answer = review._answer(self.path, bearer, body)
                content = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """What the auth method gets as `kubernetes_host`."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def public_key(self) -> str:
        """PEM of the key that the tokens are signed with: for the JWT auth method's `jwt_validation_pubkeys`."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def configuration(self) -> dict[str, Any]:
        """The body of `auth/<mount>/config` for the Kubernetes auth method."""
        return {
            "kubernetes_host": self.url,
            "token_reviewer_jwt": self.token("kube-system", "vault-reviewer"),
            "disable_local_ca_jwt": True,
            # Asked for although nothing here speaks TLS.
            "kubernetes_ca_cert": trustme.CA(key_type=trustme.KeyType.ECDSA).cert_pem.bytes().decode(),
        }

    def token(
        self, namespace: str, name: str, *, audience: str = AUDIENCE, lives_seconds: int = 3600, **claims: Any
    ) -> str:
        """A token for a service account, as the kubelet projects it into a pod."""
        subject = f"system:serviceaccount:{namespace}:{name}"
        now = int(time.time())
        uid = self._uids.setdefault(subject, str(uuid.uuid4()))
        payload = {
            "iss": ISSUER,
            "sub": subject,
            "aud": [audience],
            "jti": str(uuid.uuid4()),
            "iat": now,
            "nbf": now - _CLOCK_SKEW_SECONDS,
            "exp": now + lives_seconds,
            "kubernetes.io": {"namespace": namespace, "serviceaccount": {"name": name, "uid": uid}},
        }
        return jwt.encode(payload | claims, self._key, algorithm=_ALGORITHM)

    def revoke(self, token: str) -> None:
        """Find it no longer good, as when its pod was deleted."""
        self._revoked.add(token)

    def start(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def close(self) -> None:
        """End the server."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _answer(self, path: str, bearer: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if path != REVIEWS:
            return 404, _failure(404, "the server could not find the requested resource")
        if self._payload(bearer) is None:
            return 401, _failure(401, "Unauthorized")
        spec = body["spec"]
        payload = self._payload(spec["token"])
        asked = spec.get("audiences") or [AUDIENCE]
        audiences = [one for one in asked if payload is not None and one in payload["aud"]]
        if payload is None or not audiences:
            return 201, body | {"status": {"authenticated": False, "user": {}, "error": "invalid bearer token"}}
        account = payload["kubernetes.io"]
        user = {
            "username": payload["sub"],
            "uid": account["serviceaccount"]["uid"],
            "groups": ["system:serviceaccounts", f"system:serviceaccounts:{account['namespace']}"],
        }
        self.reviewed.append(user["username"])
        return 201, body | {"status": {"authenticated": True, "user": user, "audiences": audiences}}

    def _payload(self, token: str) -> dict[str, Any] | None:
        """The claims of a token that we signed, whose time is not over, and which was not revoked."""
        if token in self._revoked:
            return None
        try:
            # The audience is for the review itself to look at.
            return dict(
                jwt.decode(token, self._key.public_key(), algorithms=[_ALGORITHM], options={"verify_aud": False})
            )
        except jwt.InvalidTokenError:
            return None


def _failure(code: int, message: str) -> dict[str, Any]:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
