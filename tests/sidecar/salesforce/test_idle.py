"""Connections that are kept for the next call."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts
from vault_salesforce_sidecar.salesforce.idle import IDLE_CONNECTIONS, IdleLines
from vault_salesforce_sidecar.salesforce.message import Request
from vault_salesforce_sidecar.salesforce.tls import tls_context
from vault_salesforce_sidecar.salesforce.transport import Transport

SECONDS = 10.0


@pytest.fixture
def idle():
    made = IdleLines()
    yield made
    made.close()


def ask(server, idle, context):
    Transport(AllowedHosts(server.url), context, idle=idle).send(
        Request("GET", f"{server.url}/services/data", {}), SECONDS, repeatable=True
    )


def test_transports_to_one_host_share_them(servers, idle):
    server = servers.answering(servers.answer())
    for _ in range(3):
        ask(server, idle, tls_context(""))
    assert server.connections == 1


def test_one_made_with_other_tls_settings_is_not_taken(servers, idle):
    server = servers.answering(servers.answer())
    ask(server, idle, tls_context(""))
    ask(server, idle, tls_context(trustme.CA().cert_pem.bytes().decode()))
    assert server.connections == 2


def test_however_many_hosts_there_are_few_are_kept(servers, idle):
    """A process may open 1,024 files, as a rule; each org of hundreds would keep some of them."""
    many = [servers.answering(servers.answer()) for _ in range(IDLE_CONNECTIONS + 3)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda server: ask(server, idle, tls_context("")), many))
    for server in many:
        ask(server, idle, tls_context(""))
    assert sum(server.connections for server in many) > len(many)
    idle.close()
    for server in many:
        ask(server, idle, tls_context(""))
    assert all(server.connections >= 2 for server in many)


def test_what_was_not_used_for_long_is_closed(servers):
    server = servers.answering(servers.answer())
    idle = IdleLines(seconds=0)
    for _ in range(2):
        ask(server, idle, tls_context(""))
    idle.close()
    assert server.connections == 2
