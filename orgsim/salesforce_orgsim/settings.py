"""What a simulator starts with: the org, its users and its apps, read from JSON with all faults reported together."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

from .app_settings import AppSettings
from .org_settings import OrgSettings
from .reading import SettingsError, change, unknown
from .user_settings import UserSettings

DEFAULT_USERNAME = "integration@orgsim.example"
DEFAULT_PASSWORD = "Orgsim-start-1"  # noqa: S105 -- published in --help, so that one can start without a file
DEFAULT_SECURITY_TOKEN = "OrgsimStartToken00000001"  # noqa: S105 -- as above

Part = TypeVar("Part")


@dataclass(frozen=True)
class Config:
    """Everything an org starts with: its settings, its users, its apps, and the knobs of misbehaviour as JSON."""

    org: OrgSettings = field(default_factory=OrgSettings)
    users: tuple[UserSettings, ...] = ()
    apps: tuple[AppSettings, ...] = ()
    misbehave: Mapping[str, Any] = field(default_factory=dict)


DEFAULT_CONFIG = Config(
    users=(
        UserSettings(
            username=DEFAULT_USERNAME,
            password=DEFAULT_PASSWORD,
            security_token=DEFAULT_SECURITY_TOKEN,
            email=DEFAULT_USERNAME,
            ever_reset_token_manually=True,
        ),
    )
)


def read_config(document: Any) -> Config:
    """Read a configuration.

    Args:
        document: `{"org": {...}, "users": [{...}], "apps": [{...}], "misbehave": {...}}`, each part optional; names as
            in this package's records of settings, or the same in camelCase.

    Raises:
        SettingsError: With every fault found.
    """
    parts = [spec.name for spec in fields(Config)]
    if not isinstance(document, Mapping):
        raise SettingsError(["The configuration must be an object."])
    faults = [unknown(name, parts) for name in document if name not in parts]
    org, users = OrgSettings(), list(DEFAULT_CONFIG.users)
    try:
        org = change(org, document.get("org", {}), "org")
    except SettingsError as error:
        faults += error.faults
    if "users" in document:
        users = _read_all(document["users"], "users", read_user, faults)
    apps = _read_all(document.get("apps", []), "apps", read_app, faults)
    faults += _twice("users", [user.username.lower() for user in users])
    faults += _twice("apps", [app.client_id for app in apps])
    if faults:
        raise SettingsError(faults)
    return Config(org, tuple(users), tuple(apps), document.get("misbehave", {}))


def read_user(document: Any, where: str = "user") -> UserSettings:
    """Read one user; user name and password are required, the e-mail address is the user name unless given.

    Raises:
        SettingsError: With every fault found.
    """
    user = change(UserSettings(username=""), document, where)
    missing = [name for name in ("username", "password") if not getattr(user, name)]
    if missing:
        raise SettingsError([f"{where}.{name} is missing." for name in missing])
    return user if user.email else replace(user, email=user.username)


def read_app(document: Any, where: str = "app") -> AppSettings:
    """Read one app; the client id is required.

    Raises:
        SettingsError: With every fault found.
    """
    app = change(AppSettings(client_id=""), document, where)
    if not app.client_id:
        raise SettingsError([f"{where}.client_id is missing."])
    return app


def _read_all(documents: Any, where: str, read: Callable[[Any, str], Part], faults: list[str]) -> list[Part]:
    if not isinstance(documents, list | tuple):
        raise SettingsError([*faults, f"{where} must be a list."])
    found = []
    for place, entry in enumerate(documents):
        try:
            found.append(read(entry, f"{where}[{place}]"))
        except SettingsError as error:
            faults += error.faults
    return found


def _twice(where: str, names: list[str]) -> list[str]:
    return [f"{where}: {name} is there twice." for name, times in Counter(names).items() if times > 1]
