"""A cluster's addresses: the active node is found, and a node that is lost cuts nobody off."""

import http.server
import socket
import threading
from dataclasses import dataclass, field

import pytest

from vault_salesforce_sidecar.store import KvUnavailable
from vault_salesforce_sidecar.vault.client import Vault
from vault_salesforce_sidecar.vault.servers import LOOK_SECONDS, Servers
from vault_salesforce_sidecar.vault.transport import open_pool

ACTIVE, STANDBY, SEALED = 200, 429, 503


@dataclass
class Node:
    """A server that says how it is, and does everything else."""

    health: int
    answer: int = 204
    told: bytes = b'{"initialized": true, "sealed": false, "standby": false}'
    asked: list[str] = field(default_factory=list)
    looked_at: int = 0

    def __post_init__(self):
        node = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path == "/v1/sys/health":
                    node.looked_at += 1
                    self._say(node.health, node.told)
                else:
                    self._do()

            def _do(self):
                node.asked.append(f"{self.command} {self.path}")
                self.rfile.read(int(self.headers.get("Content-Length", 0)))
                self._say(node.answer)

            do_POST = do_PUT = _do  # noqa: N815 - the base class's names

            def _say(self, status, text=b""):
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format, *args):  # noqa: A002 - the base class's name
                """Say nothing."""

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True)
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def nodes():
    made = [Node(STANDBY), Node(ACTIVE), Node(STANDBY)]
    yield made
    for node in made:
        node.close()


@pytest.fixture
def pool():
    made = open_pool("", 4, 3)
    yield made
    made.clear()


@pytest.fixture
def nobody():
    """An address at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{unused.getsockname()[1]}"


def addresses(nodes):
    return [node.address for node in nodes]


def test_the_active_node_is_asked_first_and_the_others_after_it(pool, nodes):
    a, b, c = addresses(nodes)
    assert Servers(pool, (a, b, c)).in_order() == (b, c, a)


@pytest.mark.parametrize("page", [b"", b"<html>We are down for maintenance.</html>", b"{}", b"[]"])
def test_a_page_in_front_of_a_node_is_no_active_node(pool, nodes, page):
    nodes[0].health, nodes[0].told = ACTIVE, page
    servers = Servers(pool, addresses(nodes))
    assert servers.in_order()[0] == nodes[1].address
    assert not Servers(pool, addresses(nodes)[:1]).first_is_active()
    assert Servers(pool, addresses(nodes)[1:2]).first_is_active()


def test_a_node_that_steps_down_is_noticed_within_seconds_and_not_asked_for_it_each_time(pool, nodes, time):
    servers = Servers(pool, addresses(nodes), time)
    servers.in_order()
    nodes[1].health, nodes[2].health = STANDBY, ACTIVE
    time.seconds = LOOK_SECONDS - 0.1
    assert servers.in_order()[0] == nodes[1].address
    assert nodes[1].looked_at == 1
    time.seconds = LOOK_SECONDS
    assert servers.in_order()[0] == nodes[2].address


def test_while_none_is_active_a_standby_is_asked_rather_than_one_of_no_use(pool, nodes, nobody, time):
    nodes[0].health, nodes[1].health = SEALED, STANDBY
    servers = Servers(pool, (nobody, nodes[0].address, nodes[1].address), time)
    assert servers.in_order()[0] == nodes[1].address
    nodes[0].health = ACTIVE
    time.seconds = LOOK_SECONDS
    assert servers.in_order()[0] == nodes[0].address


def test_one_address_alone_is_not_looked_at(pool, nodes):
    assert Servers(pool, [nodes[0].address]).in_order() == (nodes[0].address,)
    assert nodes[0].looked_at == 0


def test_a_write_goes_to_the_next_node_where_no_connection_could_be_made(pool, nodes):
    first, *others = addresses(nodes)[1:] + addresses(nodes)[:1]
    vault = Vault(pool, first, others=others)
    vault.write("sf/a", {})
    nodes[1].close()
    vault.write("sf/b", {})
    assert (nodes[1].asked, nodes[2].asked) == (["POST /v1/sf/a"], ["POST /v1/sf/b"])


def test_a_write_that_a_node_took_is_never_sent_to_another(pool, nodes):
    nodes[1].answer = 500
    first, *others = addresses(nodes)
    with pytest.raises(KvUnavailable):
        Vault(pool, first, others=others).write("sf/a", {})
    assert [len(node.asked) for node in nodes] == [0, 1, 0]


@pytest.mark.parametrize("answer", [SEALED, 200], ids=["sealed", "a page"])
def test_after_an_answer_that_a_node_in_order_does_not_give_the_active_one_is_looked_for(pool, nodes, answer):
    first, *others = addresses(nodes)
    vault = Vault(pool, first, others=others)
    nodes[1].answer = answer
    with pytest.raises(KvUnavailable):
        vault.write("sf/a", {})
    nodes[1].health, nodes[2].health = SEALED, ACTIVE
    vault.write("sf/b", {})
    assert [len(node.asked) for node in nodes] == [0, 1, 1]


def test_with_no_node_at_all_all_addresses_are_named(pool, nobody):
    with pytest.raises(KvUnavailable, match="gave no answer") as caught:
        Vault(pool, nobody, others=[nobody]).write("sf/a", {})
    assert str(caught.value).count(nobody) == 2
