"""Pages of a query: the first, and those that its locator leads to."""

import secrets
from dataclasses import dataclass
from typing import Any

from .faults import FaultError
from .org import Org

PAGE_ROWS = 2000

_CURSORS_KEPT = 100


@dataclass(frozen=True)
class Page:
    """One page: its records, how many there are in all, and what leads to the next page, if there is one."""

    records: list[dict[str, Any]]
    total: int
    locator: str | None


def first(org: Org, records: list[dict[str, Any]]) -> Page:
    """Return the first page of the records that a query found."""
    return _page(org, records, 0, "")


def more(org: Org, locator: str) -> Page:
    """Return the page that a locator leads to.

    Raises:
        FaultError: It leads nowhere.
    """
    cursor, _, place = locator.partition("-")
    records = org.cursors.get(cursor)
    if records is None or not place.isdecimal():
        raise FaultError("INVALID_QUERY_LOCATOR")
    return _page(org, records, int(place), cursor)


def _page(org: Org, records: list[dict[str, Any]], start: int, cursor: str) -> Page:
    end = start + PAGE_ROWS
    locator = f"{cursor or _keep(org, records)}-{end}" if end < len(records) else None
    return Page(records[start:end], len(records), locator)


def _keep(org: Org, records: list[dict[str, Any]]) -> str:
    with org.lock:
        cursor = "01g" + secrets.token_hex(6)
        org.cursors[cursor] = records
        while len(org.cursors) > _CURSORS_KEPT:
            del org.cursors[next(iter(org.cursors))]
        return cursor
