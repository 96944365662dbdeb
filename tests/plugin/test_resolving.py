"""Names to addresses."""

import asyncio
import socket
import threading

import pytest

from vault_salesforce_plugin.resolving import Resolver


@pytest.fixture
def resolver():
    made = Resolver()
    yield made
    made.close()


class NameServer:
    """What the system's call asks."""

    def __init__(self, monkeypatch):
        self.asked = []
        self.looking = threading.Semaphore(0)
        self.answer = ["192.0.2.1"]
        self.may_answer = threading.Event()
        self.may_answer.set()
        monkeypatch.setattr(socket, "getaddrinfo", self.look)

    def look(self, host, port, **_):
        self.asked.append(host)
        self.looking.release()
        assert self.may_answer.wait(10)
        if not self.answer:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 0)) for address in self.answer]


@pytest.fixture
def names(monkeypatch):
    made = NameServer(monkeypatch)
    yield made
    made.may_answer.set()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_an_address_is_its_own(resolver, names, address):
    assert await resolver.addresses(address, 0) == (address,)
    assert names.asked == []


async def test_a_name_has_the_addresses_that_the_system_says_now(resolver, names):
    assert await resolver.addresses("a.example", 5) == ("192.0.2.1",)
    names.answer = ["192.0.2.2", "192.0.2.2", "192.0.2.3"]
    assert await resolver.addresses("a.example", 5) == ("192.0.2.2", "192.0.2.3")


async def test_many_who_ask_at_once_ask_once(resolver, names):
    names.may_answer.clear()
    asking = [asyncio.create_task(resolver.addresses("a.example", 5)) for _ in range(20)]
    await asyncio.sleep(0)
    names.may_answer.set()
    assert await asyncio.gather(*asking) == [("192.0.2.1",)] * 20
    assert names.asked == ["a.example"]


async def test_one_that_gives_up_does_not_end_the_question_of_the_others(resolver, names):
    names.may_answer.clear()
    one, other = [asyncio.create_task(resolver.addresses("a.example", 5)) for _ in range(2)]
    await asyncio.sleep(0)
    one.cancel()
    await asyncio.sleep(0)
    names.may_answer.set()
    assert await other == ("192.0.2.1",)


async def test_a_slow_or_failing_system_is_answered_for_by_what_it_said_last(resolver, names):
    assert await resolver.addresses("a.example", 5) == ("192.0.2.1",)
    names.answer = []
    assert await resolver.addresses("a.example", 5) == ("192.0.2.1",)
    names.may_answer.clear()
    assert await resolver.addresses("a.example", 0.05) == ("192.0.2.1",)


async def test_without_an_earlier_answer_it_fails_in_time(resolver, names):
    names.may_answer.clear()
    with pytest.raises(TimeoutError):
        await resolver.addresses("a.example", 0.05)
    names.answer = []
    names.may_answer.set()
    with pytest.raises(OSError, match="no address"):
        await resolver.addresses("a.example", 5)


async def test_a_name_that_no_thread_was_free_for_when_the_mount_ended_has_no_address(resolver, names):
    names.may_answer.clear()
    waiting = [asyncio.create_task(resolver.addresses(f"host{number}.example", 5)) for number in range(5)]
    for _ in range(4):
        assert await asyncio.to_thread(names.looking.acquire, timeout=10)
    resolver.close()  # the fifth was waiting for a thread
    with pytest.raises(OSError, match="host4"):
        await waiting[4]
    names.may_answer.set()
    await asyncio.gather(*waiting[:4])
