"""What the sidecar is told from outside: one frozen record, read once, all faults reported together. PURE."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, INTEGER, LIST, REQUIRED, SECRET, TEXT, declared, field
from vault_plugin_sdk.framework.path import MAX_NAME, NAME
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.origin import origin_fault

PREFIX = "VAULT_SALESFORCE_"
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path
LEVELS = ("debug", "info", "warning", "error")
# Web threads that callers who wait for a rotation never take: health, reads and status are answered by them.
UNWAITING_THREADS = 8


class SettingsFault(Exception):  # noqa: N818 - what the operator has to mend
    """The settings are wrong.

    Args:
        faults: One sentence for each, none of which repeats a secret.
    """

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = tuple(faults)


def _origins(values: Sequence[str]) -> str | None:
    if not values:
        return "names no address"
    return next((fault for value in values if (fault := origin_fault(value))), None)


def _https(value: str) -> str | None:
    fault = origin_fault(value) if value else None
    return fault or ("must begin with https://" if value and not value.startswith("https://") else None)


def _proxy(value: str) -> str | None:
    if not value:
        return None
    # Plain http is for anybody's proxy: it sees host names, and TLS with the org passes through it.
    fault = origin_fault(value.replace("http://", "https://", 1))
    return fault and "must be an address such as http://proxy.example.com:3128, without a user or a path"


def _name(value: str) -> str | None:
    if len(value) > MAX_NAME or not NAME.fullmatch(value):
        return "must be letters, digits, '_', '-' or '.', and begin and end with a letter or digit"
    return None


def _mount(value: str) -> str | None:
    return None if all(NAME.fullmatch(part) for part in value.split("/")) else "must be a mount's path, such as sf"


@dataclass(frozen=True)
class Settings:
    """Settings of one sidecar; each is read from `VAULT_SALESFORCE_<NAME>`."""

    vault_addr: tuple[str, ...] = field(
        LIST,
        "Address of Vault or OpenBao. Of a cluster: the one that leads to the active node, or those of all nodes, with "
        "commas; then the active one is found.",
        check=_origins,
    )
    vault_namespace: str = field(TEXT, "Namespace of the mounts and of the login; empty: the root.", default="")
    vault_ca_cert: str = field(
        TEXT, "File with the authorities that may vouch for Vault, PEM; empty: the system's.", default=""
    )
    mount: str = field(TEXT, "Path of the secrets engine's mount.", default="sf", check=_mount)
    kv_mount: str = field(TEXT, "KV v2 mount that apps read credentials from.", default="salesforce", check=_mount)
    engine_kv_mount: str = field(TEXT, "KV v2 mount for the sidecar alone.", default="salesforce-engine", check=_mount)
    instance: str = field(
        TEXT, "Name of this sidecar, the same after a restart; empty: the host's name.", default="", check=_name
    )
    listen_host: str = field(TEXT, "Address to listen at.", default="127.0.0.1")
    listen_port: int = field(INTEGER, "Port to listen at; 0: any free one.", default=8443, minimum=0, maximum=65_535)
    advertised_url: str = field(
        TEXT, "Where the plugin reaches this sidecar; empty: the listening address.", default="", check=_https
    )
    auth_method: str = field(
        TEXT, "How it logs in to Vault.", default="approle", choices=("approle", "kubernetes", "jwt", "token")
    )
    auth_mount: str = field(TEXT, "Path of the auth method; empty: the method's name.", default="", check=_mount)
    auth_role: str = field(
        TEXT,
        "Name of its role, for kubernetes and jwt. For approle only with a wrapped SecretID, which must then have been "
        "made at this role; empty: at any.",
        default="",
    )
    jwt_file: str = field(
        TEXT,
        "File with the token of the platform, for jwt and kubernetes; read again before each login. Empty, for "
        f"kubernetes: {SERVICE_ACCOUNT_TOKEN}.",
        default="",
    )
    role_id: str = field(TEXT, "RoleID of its AppRole.", default="")
    secret_id: SecretStr = field(SECRET, "SecretID of its AppRole.", default=SecretStr(""))
    secret_id_file: str = field(TEXT, "File with the SecretID; read again before each login.", default="")
    wrapped_secret_id: SecretStr = field(
        SECRET,
        "Wrapping token of a response-wrapped SecretID; it is unwrapped once, and kept in the state directory.",
        default=SecretStr(""),
    )
    wrapped_secret_id_file: str = field(TEXT, "File with that wrapping token; may be gone afterwards.", default="")
    state_directory: str = field(
        TEXT,
        "Folder of its own for what is to outlast a restart: the SecretID that was unwrapped, and how often the "
        "journal was written, by which a Vault that was restored meanwhile is known.",
        default="",
    )
    vault_token: SecretStr = field(SECRET, "Token, with auth_method=token.", default=SecretStr(""))
    vault_token_file: str = field(TEXT, "File with the token; read again when the token is lost.", default="")
    salesforce_proxy: str = field(
        TEXT,
        "Proxy through which Salesforce is called, such as http://proxy.example.com:3128; https:// for one that is "
        "itself spoken to by TLS. Empty: directly; HTTPS_PROXY and its like are not read.",
        default="",
        check=_proxy,
    )
    salesforce_proxy_ca_cert: str = field(
        TEXT, "File with the authorities that may vouch for an https:// proxy, PEM; empty: the system's.", default=""
    )
    salesforce_proxy_credentials: SecretStr = field(
        SECRET, "What the proxy wants to know, user:password; empty: nothing.", default=SecretStr("")
    )
    mailbox_root: str = field(TEXT, "Folder below which connections may name a maildir; empty: none may.", default="")
    kept_for: int = field(
        DURATION,
        "How long earlier passwords, and those of deleted roles, are kept in the journal; a change that arrives late "
        "may still bring one to life.",
        default=7 * 86_400,
        minimum=86_400,
    )
    start_held: bool = field(
        BOOLEAN,
        "Hold everything at each start, until somebody deletes the hold: for the first start after Vault was restored. "
        "Then take it out again.",
        default=False,
    )
    slots: int = field(INTEGER, "Rotations that may be under way at once.", default=64, minimum=1, maximum=512)
    web_threads: int = field(
        INTEGER,
        f"Threads that answer requests; all but {UNWAITING_THREADS} of them may wait for a rotation.",
        default=16,
        minimum=UNWAITING_THREADS + 1,
        maximum=256,
    )
    log_level: str = field(TEXT, "Least level that is logged.", default="info", choices=LEVELS)
    ready_file: str = field(
        TEXT, "File that is written, as JSON, once the plugin has answered the first heartbeat.", default=""
    )

    @property
    def secret_id_is_wrapped(self) -> bool:
        """Whether the SecretID is given as a wrapping token."""
        return bool(self.wrapped_secret_id or self.wrapped_secret_id_file)

    @property
    def waiting_places(self) -> int:
        """How many requests may wait for a rotation at once."""
        return self.web_threads - UNWAITING_THREADS


def from_environ(environ: Mapping[str, str], hostname: str) -> Settings:
    """Read the settings; an empty variable counts as not set.

    Args:
        environ: The process's environment.
        hostname: The machine's name, for an instance that is not named.

    Raises: SettingsFault: with every fault.
    """
    values: dict[str, Any] = {}
    faults = []
    for name, item in declared(Settings).items():
        given = environ.get(PREFIX + name.upper(), "")
        if not given and item.default is not REQUIRED:
            values[name] = item.default
            continue
        try:
            values[name] = item.read(given) if given else _missing()
        except ValueError as fault:
            faults.append(f"{PREFIX}{name.upper()} {fault}")
    if "instance" in values:
        values["instance"] = values["instance"] or hostname.partition(".")[0]
    if "auth_method" in values:
        values["auth_mount"] = values.get("auth_mount") or values["auth_method"]
        if values["auth_method"] == "kubernetes":
            values["jwt_file"] = values.get("jwt_file") or SERVICE_ACCOUNT_TOKEN
    faults += [broken for rule in _RULES if (broken := rule(values))]
    if faults:
        raise SettingsFault(faults)
    return Settings(**values)


def misspelt(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each variable that looks like a misspelt setting.

    Others with the prefix are not faults: Kubernetes gives every container variables named after the services
    around it, and one of those is likely called vault-salesforce.
    """
    known = [PREFIX + name.upper() for name in declared(Settings)]
    strangers = [name for name in environ if name.startswith(PREFIX) and name not in known]
    near = {name: difflib.get_close_matches(name, known, n=1, cutoff=0.9) for name in strangers}
    return [f"{name} is not a setting; did you mean {match[0]}?" for name, match in near.items() if match]


def _missing() -> Any:
    raise ValueError("is not set")


def _is_wildcard(host: str) -> bool:
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return False


def _token_is_given(values: Mapping[str, Any]) -> str | None:
    if values.get("auth_method") == "token" and len(_given(values, "vault_token", "vault_token_file")) != 1:
        return f"{PREFIX}AUTH_METHOD=token needs one of {PREFIX}VAULT_TOKEN and {PREFIX}VAULT_TOKEN_FILE"
    return None


def _approle_is_named(values: Mapping[str, Any]) -> str | None:
    if values.get("auth_method") == "approle" and not values.get("role_id"):
        return f"{PREFIX}AUTH_METHOD=approle needs {PREFIX}ROLE_ID"
    return None


def _one_secret_id(values: Mapping[str, Any]) -> str | None:
    given = _given(values, "secret_id", "secret_id_file", "wrapped_secret_id", "wrapped_secret_id_file")
    return f"only one of {' and '.join(given)} may be set" if len(given) > 1 else None


def _unwrapped_is_kept(values: Mapping[str, Any]) -> str | None:
    given = _given(values, "wrapped_secret_id", "wrapped_secret_id_file")
    if given and not values.get("state_directory"):
        return f"{given[0]} needs {PREFIX}STATE_DIRECTORY: it is unwrapped once, and a restart needs what came out"
    return None


def _role_is_named(values: Mapping[str, Any]) -> str | None:
    method = values.get("auth_method")
    if method in ("kubernetes", "jwt") and not values.get("auth_role"):
        return f"{PREFIX}AUTH_METHOD={method} needs {PREFIX}AUTH_ROLE"
    return None


def _jwt_is_given(values: Mapping[str, Any]) -> str | None:
    if values.get("auth_method") == "jwt" and not values.get("jwt_file"):
        return f"{PREFIX}AUTH_METHOD=jwt needs {PREFIX}JWT_FILE"
    return None


def _given(values: Mapping[str, Any], *names: str) -> list[str]:
    """The variables of these that are set."""
    return [PREFIX + name.upper() for name in names if values.get(name)]


def _mounts_differ(values: Mapping[str, Any]) -> str | None:
    mounts = [values.get(name) for name in ("mount", "kv_mount", "engine_kv_mount")]
    if None not in mounts and len(set(mounts)) < len(mounts):
        return f"{PREFIX}MOUNT, {PREFIX}KV_MOUNT and {PREFIX}ENGINE_KV_MOUNT must be three different mounts"
    return None


def _proxy_is_named(values: Mapping[str, Any]) -> str | None:
    given = _given(values, "salesforce_proxy_ca_cert", "salesforce_proxy_credentials")
    return f"{given[0]} needs {PREFIX}SALESFORCE_PROXY" if given and values.get("salesforce_proxy") == "" else None


def _can_be_reached(values: Mapping[str, Any]) -> str | None:
    if _is_wildcard(values.get("listen_host", "")) and values.get("advertised_url") == "":
        return f"{PREFIX}ADVERTISED_URL is not set, and {PREFIX}LISTEN_HOST is no address that a plugin can call"
    return None


def _instance_is_a_name(values: Mapping[str, Any]) -> str | None:
    fault = _name(values["instance"]) if "instance" in values else None
    return f"{PREFIX}INSTANCE is not set, and the host's name cannot stand for it: it {fault}" if fault else None


_RULES: tuple[Callable[[Mapping[str, Any]], str | None], ...] = (
    _token_is_given,
    _approle_is_named,
    _one_secret_id,
    _unwrapped_is_kept,
    _role_is_named,
    _jwt_is_given,
    _mounts_differ,
    _proxy_is_named,
    _can_be_reached,
    _instance_is_a_name,
)
