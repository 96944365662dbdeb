"""The org's apps as they live: their keys and secrets, of which a staged set may stand beside the present one."""

import hmac
import secrets
import string
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import ids
from .app_settings import AppSettings

ACTIVE, STAGED, ROTATED = "active", "staged", "rotated"
OVERLAP = timedelta(days=30)

_KEY_ALPHABET = string.ascii_letters + string.digits + "._"
_KEY_LENGTH = 85
_SECRET_BYTES = 32


@dataclass
class Credentials:
    """One pair of consumer key and secret.

    Attributes:
        id: Id of the set, once it was staged.
        state: `active`, `staged` or `rotated`.
        ends: When a rotated set stops working.
    """

    key: str
    secret: str = field(repr=False)
    id: str = ""
    state: str = ACTIVE
    ends: datetime | None = None

    def works(self, now: datetime) -> bool:
        """Whether a client may still come with it."""
        return self.ends is None or now < self.ends


@dataclass
class App:
    """One app: what an administrator set, the present credentials, and the set beside them."""

    number: int
    settings: AppSettings
    created: datetime
    active: Credentials
    beside: Credentials | None = None

    @property
    def id(self) -> str:
        """Id of the app, as the REST resource for credentials has it."""
        return ids.numbered(ids.APP, self.number)

    @property
    def consumer_id(self) -> str:
        """Id of the app's one consumer."""
        return ids.numbered(ids.CONSUMER, self.number)

    def known(self, now: datetime) -> bool:
        """Whether the org has heard of the app yet."""
        return now >= self.created + timedelta(seconds=self.settings.live_after)

    def with_key(self, key: str, now: datetime) -> Credentials | None:
        """Find the credentials of a consumer key that works."""
        for credentials in (self.active, self.beside):
            if credentials and credentials.works(now) and hmac.compare_digest(credentials.key.encode(), key.encode()):
                return credentials
        return None

    def stage(self) -> Credentials:
        """Make a new pair, good at once beside the present one."""
        key = "3MVG9" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(_KEY_LENGTH - len("3MVG9")))
        self.beside = Credentials(key, secrets.token_hex(_SECRET_BYTES).upper(), secrets.token_hex(9), STAGED)
        return self.beside

    def rotate(self, now: datetime) -> None:
        """Let the staged pair take the place of the present one, which goes on for 30 days."""
        if self.beside:
            self.active, self.beside = self.beside, self.active
            self.active.state, self.active.id = ACTIVE, ""
            self.beside.state, self.beside.id, self.beside.ends = ROTATED, secrets.token_hex(9), now + OVERLAP

    def drop(self) -> None:
        """End the set that stands beside the present one."""
        self.beside = None


def new_app(number: int, settings: AppSettings, now: datetime) -> App:
    """Make an app of what an administrator set."""
    return App(number, settings, now, Credentials(settings.client_id, settings.client_secret))
