"""One page of the index: which accounts there are, whose, and which version of their entry was written last.

It tells sidecars of each other's work without a read per role. It may lag, and be wrong: nobody acts on it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from vault_salesforce_sidecar.records.schema import NewerSchema, check_schema

SCHEMA: Final = 1
PAGES: Final = 64


@dataclass(frozen=True)
class Line:
    """What a page says of an account.

    Attributes:
        role: The role that owns it.
        version: The newest version of its journal entry that somebody knew of, by `journal.position`.
    """

    role: str
    version: int


Page = Mapping[str, Line]  # by account: the user name in small letters


def page_of(account: str) -> str:
    """The name of the page that an account is on."""
    return f"{hashlib.sha256(account.encode()).digest()[0] % PAGES:02d}"


def merged(page: Page, lines: Page) -> dict[str, Line]:
    """Both; of an account that is on both, the newer line."""
    known = dict(page)
    for account, line in lines.items():
        if account not in known or known[account].version < line.version:
            known[account] = line
    return known


def dump(page: Page) -> dict[str, Any]:
    """The page as KV stores it."""
    return {"schema": SCHEMA, "accounts": {account: [line.role, line.version] for account, line in page.items()}}


def load(data: Mapping[str, Any]) -> dict[str, Line]:
    """The page that `dump` wrote; one that is spoilt is an empty one, and filled again. Raises: NewerSchema."""
    try:
        check_schema(data, SCHEMA)
        return {str(account): Line(str(role), int(version)) for account, (role, version) in data["accounts"].items()}
    except NewerSchema:
        raise
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
