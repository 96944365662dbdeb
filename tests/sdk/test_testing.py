"""A Backend mounted in memory behaves as one mounted in a server."""

import asyncio

import pytest

from vault_plugin_sdk.engine import (
    Backend,
    CallerError,
    Description,
    ForwardToActive,
    LeaseGrant,
    Operation,
    Path,
    ReadOnlyStorageError,
    Response,
    Secret,
)
from vault_plugin_sdk.logical.request import Caller
from vault_plugin_sdk.logical.storage import MemoryStorage
from vault_plugin_sdk.testing import Mounted


class Engine(Backend):
    """Keeps values, leases one, and notes which hooks ran."""

    def __init__(self):
        self.events = []
        self.key = Secret("key", Engine.renew, Engine.revoke)
        value = Description("values/{name}", help="A value.")
        super().__init__(
            [
                Path(
                    value,
                    {
                        Operation.CREATE: Engine.create,
                        Operation.UPDATE: Engine.update,
                        Operation.READ: Engine.read,
                        Operation.DELETE: Engine.delete,
                        Operation.LIST: Engine.names,
                    },
                ),
                Path(Description("leased", help="A lease."), {Operation.READ: Engine.issue}),
                Path(Description("who", help="Who asks."), {Operation.READ: Engine.who}),
                Path(Description("careful", help="Active alone."), {Operation.UPDATE: Engine.careful}),
            ],
            secrets=[self.key],
            introduction="An engine.",
        )

    async def setup(self, config):
        self.config = config

    async def initialize(self):
        await super().initialize()
        self.known = set(await self.storage.list("values/"))

    async def periodic(self):
        self.events.append("tick")

    async def invalidate(self, key):
        self.known.discard(key.removeprefix("values/"))

    async def cleanup(self):
        self.events.append("end")

    def exists(self, path):
        return path.removeprefix("values/") in self.known

    async def create(self, caller, name):
        self.events.append("create")
        await self.update(caller, name)

    async def update(self, _, name):
        await self.storage.put(f"values/{name}", b"1")
        self.known.add(name)

    async def read(self, _, name):
        return None if await self.storage.get(f"values/{name}") is None else Response(data={"name": name})

    async def delete(self, _, name):
        await self.storage.delete(f"values/{name}")

    async def names(self, _):
        return Response(data={"keys": await self.storage.list("values/")})

    async def issue(self, _):
        return Response(data={"password": "pa55"}, lease=self.key.grant(60, 600, serial=7))

    async def renew(self, lease):
        return LeaseGrant.renewing(lease, lease.increment_seconds or 60)

    async def revoke(self, lease):
        self.events.append(f"revoked {lease.internal_data['serial']}")

    def who(self, caller):
        return Response(data={"by": caller.display_name, "id": caller.request_id, **self.request.headers})

    def careful(self, _):
        self.require_active()


def run(scenario, **how):
    async def whole():
        async with Mounted(Engine(), **how) as mounted:
            return await scenario(mounted)

    return asyncio.run(whole())


def test_a_write_is_a_create_where_the_existence_check_says_so():
    async def scenario(mounted):
        await mounted.write("values/a")
        await mounted.write("values/a")
        found = (await mounted.read("values/a")).data, (await mounted.list("values")).data
        await mounted.delete("values/a")
        return found, list(mounted.backend.events), await mounted.read("values/a")

    assert run(scenario) == (({"name": "a"}, {"keys": ["a"]}), ["create"], Response())


def test_a_lease_is_renewed_and_revoked_with_what_the_server_keeps():
    async def scenario(mounted):
        granted = (await mounted.read("leased")).lease
        renewed = await mounted.renew("leased", granted, increment_seconds=30)
        again = await mounted.renew("leased", renewed)
        await mounted.revoke("leased", again)
        return granted, renewed, again, list(mounted.backend.events)

    granted, renewed, again, events = run(scenario)
    assert (renewed.ttl_seconds, again.ttl_seconds) == (30, 60)
    assert granted.issued == renewed.issued == again.issued
    assert events == ["revoked 7"]


def test_hooks_run_when_a_server_would_run_them():
    engine = Engine()

    async def scenario():
        async with Mounted(engine, storage=MemoryStorage({"values/a": b"1"}), config={"option": "x"}) as mounted:
            known = set(engine.known)
            await mounted.tick()
            await mounted.backend.invalidate("values/a")
            return known, engine.known

    assert asyncio.run(scenario()) == ({"a"}, set())
    assert (engine.config, engine.events) == ({"option": "x"}, ["tick", "end"])


def test_a_standby_reads_and_writes_nothing():
    async def scenario(active):
        await active.write("values/a")
        async with Mounted(Engine(), storage=MemoryStorage(active.storage.entries), standby=True) as standby:
            await standby.tick()
            with pytest.raises(ReadOnlyStorageError):
                await standby.write("values/b")
            with pytest.raises(ForwardToActive):
                await standby.write("careful")
            await active.write("values/c")
            return list(standby.backend.events), (await standby.list("values/")).data["keys"]

    events, keys = run(scenario)
    assert "tick" not in events
    assert keys == ["a", "c"]


def test_what_the_caller_sends_and_who_it_is_are_the_tests_choice():
    async def scenario(mounted):
        mounted.caller, mounted.headers = Caller(display_name="alice"), {"X-Mine": ("1",)}
        return (await mounted.read("who")).data, (await mounted.read("who")).data["id"]

    first, second = run(scenario)
    assert first == {"by": "alice", "id": "request-1", "X-Mine": ("1",)}
    assert second == "request-2"


def test_help_is_text_and_document():
    async def scenario(mounted):
        document = (await mounted.ask("help", "values/a")).data["openapi"]
        return await mounted.help(), await mounted.help("values/a"), document

    whole, one, document = run(scenario)
    assert "An engine." in whole
    assert "A value." in one
    assert set(document["paths"]) == {"/values/{name}", "/values/"}


def test_an_error_is_raised_as_the_engine_raised_it():
    async def scenario(mounted):
        await mounted.read("nowhere")

    with pytest.raises(CallerError):
        run(scenario)
