"""The client under test, at the real server."""

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.vault.client import Vault
from vault_salesforce_sidecar.vault.transport import open_pool


@pytest.fixture
def pool() -> Iterator[urllib3.PoolManager]:
    """A pool of connections, closed at the end."""
    made = open_pool("", 4)
    yield made
    made.clear()


@pytest.fixture
def vault(server: Any, pool: urllib3.PoolManager) -> Vault:
    """A client with the root token."""
    made = Vault(pool, server.addr)
    made.use(SecretStr(server.root_token))
    return made


class Monotonic:
    """A monotonic clock that a test turns."""

    seconds = 0.0

    def __call__(self):
        return self.seconds


@pytest.fixture
def time():
    return Monotonic()
