"""What holds for all tests (no network but this machine's own), and the running product for those that need it."""

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from product import Hook, Product
from servers import OLDER

if TYPE_CHECKING:
    from vault_salesforce.dev.stack import Stack

_LOOPBACK = "127.0.0.1,::1,localhost"
_TAIL_CHARACTERS = 4000
_STACKS: "pytest.StashKey[list[Stack]]" = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Tell pytest-socket, before it reads its options, what every test may reach."""
    config.option.allow_hosts = _LOOPBACK
    config.option.allow_unix_socket = True
    config.stash[_STACKS] = []


def _running(config: pytest.Config, **shape: Any) -> Iterator["Stack"]:
    from vault_salesforce.dev.stack import Stack

    with Stack(tell=lambda _: None, **shape) as made:
        config.stash[_STACKS].append(made)
        made.start()
        yield made
    config.stash[_STACKS].remove(made)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator["Stack"]:
    """The whole product, once per test process."""
    yield from _running(pytestconfig)


@pytest.fixture(scope="session")
def older_stack(pytestconfig: pytest.Config) -> Iterator["Stack"]:
    """The same on the older release of the server."""
    yield from _running(pytestconfig, binary=OLDER)


@pytest.fixture(scope="module")
def cluster(pytestconfig: pytest.Config) -> Iterator["Stack"]:
    """The product on a server of three nodes, with two sidecars, once per module."""
    yield from _running(pytestconfig, nodes=3, sidecars=2)


@pytest.fixture(scope="module")
def restorable(pytestconfig: pytest.Config) -> Iterator[Product]:
    """The product on a server of a module's own: whoever restores it takes everybody's roles back in time."""
    for stack in _running(pytestconfig):
        made = Product(stack)
        yield made
        made.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the running product logged last, beside a failed test that used it."""
    report = yield
    if report.failed and item.get_closest_marker("system"):
        for stack in item.config.stash[_STACKS]:
            for part in stack.parts():
                for log in (part.output, part.errors):
                    if log.exists():
                        report.sections.append((log.name, log.read_text(errors="replace")[-_TAIL_CHARACTERS:]))
    return report


@pytest.fixture
def product(stack: "Stack") -> Iterator[Product]:
    """The running product; the org behaves well before and after."""
    made = Product(stack)
    yield made
    made.org.ask("DELETE", "misbehave")
    made.close()


@pytest.fixture
def clustered(cluster: "Stack") -> Iterator[Product]:
    """The product on three nodes, all of them in order; asked through the active one."""
    cluster.cluster.wait()
    made = Product(cluster).through(cluster.cluster.leader())
    yield made
    made.org.ask("DELETE", "misbehave")
    made.close()


@pytest.fixture
def hook() -> Iterator[Hook]:
    """A server for the org's hooks."""
    made = Hook()
    yield made
    made.close()
