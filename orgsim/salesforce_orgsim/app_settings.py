"""One app of the org (External Client App or Connected App) as an administrator sets it up, as a frozen record."""

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

JWT_BEARER, CLIENT_CREDENTIALS, PASSWORD = "jwt_bearer", "client_credentials", "password"
FLOWS = (JWT_BEARER, CLIENT_CREDENTIALS, PASSWORD)


def read_public_key(pem: str) -> RSAPublicKey:
    """Read the key that assertions are checked with.

    Args:
        pem: A certificate, or a public key.

    Raises:
        ValueError: It is neither, or no RSA key.
    """
    data = pem.encode()
    try:
        key = x509.load_pem_x509_certificate(data).public_key() if b"CERTIFICATE" in data else load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("must be a certificate or a public key, as PEM text") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError("must be of an RSA key")  # noqa: TRY004 -- of the text, not of its type
    return key


def _check_certificate(pem: str) -> None:
    if pem:
        read_public_key(pem)


def _check_flows(flows: tuple[str, ...]) -> None:
    if wrong := [flow for flow in flows if flow not in FLOWS]:
        raise ValueError(f"must be of {', '.join(FLOWS)}, and not {wrong[0]!r}")


@dataclass(frozen=True)
class AppSettings:
    """One app, as an administrator sets it up.

    Attributes:
        client_id: Consumer key.
        client_secret: Consumer secret; never shown again.
        name: What LoginHistory calls the app.
        kind: `external_client_app`, which has no password flow, or `connected_app`.
        certificate: Certificate or public key (PEM text) that JWT assertions are checked with.
        flows: Ways in that are enabled: `jwt_bearer`, `client_credentials`, `password`.
        scopes: Scopes of the app; JWT bearer needs `refresh_token` or `offline_access` among them.
        permitted_users: `admin_approved` (pre-authorised users only) or `self_authorize`.
        preauthorized_users: User names that are pre-authorised, or that have approved the app themselves.
        preauthorized_profiles: Profiles whose users are pre-authorised.
        run_as: User name that client credentials act as; empty is none.
        installed: The app is installed in the org.
        allow_listed: API Access Control lets the app in.
        ip_relaxation: `enforce` the profile's login ranges upon grants, or `relax` them.
        live_after: Seconds after the start until the app is known; new apps take minutes.
    """

    client_id: str
    client_secret: str = field(default="", repr=False)
    name: str = "Integration app"
    kind: str = field(default="external_client_app", metadata={"choices": ("external_client_app", "connected_app")})
    certificate: str = field(default="", metadata={"check": _check_certificate})
    flows: tuple[str, ...] = field(default=(JWT_BEARER, CLIENT_CREDENTIALS), metadata={"check": _check_flows})
    scopes: tuple[str, ...] = ("api", "refresh_token")
    permitted_users: str = field(default="admin_approved", metadata={"choices": ("admin_approved", "self_authorize")})
    preauthorized_users: tuple[str, ...] = ()
    preauthorized_profiles: tuple[str, ...] = ()
    run_as: str = ""
    installed: bool = True
    allow_listed: bool = True
    ip_relaxation: str = field(default="enforce", metadata={"choices": ("enforce", "relax")})
    live_after: float = 0.0

    def preauthorizes(self, username: str, profile: str) -> bool:
        """Whether a user may use the app without being asked."""
        names = {name.lower() for name in self.preauthorized_users}
        return username.lower() in names or profile in self.preauthorized_profiles
