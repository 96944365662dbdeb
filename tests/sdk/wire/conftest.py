"""The example engine in a process of its own, and a mount of it."""

import pytest
from wire_host import EXAMPLE, python, started


@pytest.fixture
def host():
    with started(python(EXAMPLE)) as running:
        yield running


@pytest.fixture
def mount(host):
    return host.run(host.mount({"plugin_name": "example"}))
