"""Waits that end with the simulator, or with the client."""

import socket
from threading import Thread
from time import monotonic

import pytest

from salesforce_orgsim.stopping import Stopping


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


def test_a_wait_ends_by_itself_or_with_the_simulator():
    stopping = Stopping()
    assert stopping.wait(0.01) is False
    stopping.set()
    assert stopping.wait(60) is True


def test_a_held_connection_is_let_go_when_the_client_leaves(pair):
    ours, theirs = pair
    started = monotonic()
    theirs.close()
    Stopping().wait_for_client_to_leave(ours, 60)
    assert monotonic() - started < 5


def test_a_held_connection_is_let_go_when_its_time_is_over(pair):
    Stopping().wait_for_client_to_leave(pair[0], 0.05)


def test_a_held_connection_is_let_go_when_the_simulator_ends(pair):
    stopping = Stopping()
    thread = Thread(target=stopping.wait_for_client_to_leave, args=(pair[0], 60))
    thread.start()
    stopping.set()
    thread.join(5)
    assert not thread.is_alive()
