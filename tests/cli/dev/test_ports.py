"""Ports that are free, neighbours, and out of the way of outgoing connections."""

import socket

from vault_salesforce.dev.ports import free_ports


def test_neighbouring_ports_can_be_bound():
    first = free_ports(2)
    with socket.socket() as one, socket.socket() as two:
        one.bind(("127.0.0.1", first))
        two.bind(("127.0.0.1", first + 1))


def test_ports_lie_below_the_kernels_own_range():
    assert 12_000 <= free_ports(1) < 32_768
