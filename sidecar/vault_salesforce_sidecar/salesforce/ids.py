"""Ids of Salesforce's records: 15 characters, or 18 of which the last three are a checksum. PURE."""

import re
from typing import Final

ID: Final = re.compile(r"[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?")
_WITHOUT_CHECKSUM = 15


def same_record(one: str, other: str) -> bool:
    """Whether two ids, in either form, are of one record."""
    return one[:_WITHOUT_CHECKSUM] == other[:_WITHOUT_CHECKSUM]
