"""The number that every record carries: what a newer release wrote is left alone."""

from collections.abc import Mapping
from typing import Any

from vault_plugin_sdk.framework.coerce import coerce
from vault_plugin_sdk.framework.fields import INTEGER


class NewerSchema(ValueError):  # noqa: N818 - a state of affairs
    """A newer release wrote this record."""


def check_schema(data: Mapping[str, Any], known: int) -> None:
    """Raises: NewerSchema where the record's `schema` is above `known`; ValueError where it is no number."""
    if coerce(INTEGER, data.get("schema", known)) > known:
        raise NewerSchema("it was written by a newer release")
