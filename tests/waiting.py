"""Waiting for what others do in their own time, with an end."""

from collections.abc import Callable
from typing import Any

from vault_salesforce.dev import waiting

PATIENCE_SECONDS = 30.0


def until(holds: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Look until this gives something true, and return that. Raises: TimeoutError, with what was looked for."""
    return waiting.until(holds, repr(holds), seconds)
