"""A tiny engine behind the real `serve`, for tests that need a plugin process: each path shows one property."""

import asyncio
import json
import logging
import os
import sys
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from vault_plugin_sdk.framework.backend import Backend, SpecialPaths
from vault_plugin_sdk.framework.fields import DURATION, LIST, SECRET, TEXT, Field
from vault_plugin_sdk.framework.path import Description, Path
from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.framework.wal import WriteAheadLog
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Caller, Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response, listing
from vault_plugin_sdk.logical.storage import ConflictError
from vault_plugin_sdk.logical.system import NotOfferedError
from vault_plugin_sdk.wire.serve import serve

log = logging.getLogger("example")


ITEM = Description(
    "items/{name}",
    help="An item.",
    fields={
        "colour": Field(TEXT, "Its colour.", choices=("red", "blue")),
        "period": Field(DURATION, "How often.", default=60),
        "tags": Field(LIST, "What it is.", default=()),
        "pin": Field(SECRET, "Its number.", default=None),
    },
    query={"tags": Field(LIST, "Which.", default=())},
)


class Example(Backend):
    """Answers nearly everything in `fallback`, so that most tests stay independent of routing."""

    def __init__(self) -> None:
        said = {item: _saying(item) for item in (Operation.CREATE, Operation.UPDATE, Operation.PATCH, Operation.READ)}
        super().__init__(
            [Path(ITEM, said | {Operation.LIST: _items})],
            secrets=[Secret("example", _renew, _revoke)],
            special=SpecialPaths(root=("guarded/*",), unauthenticated=("open",), local=("wal/",), seal_wrap=("kept/",)),
            introduction="An example.",
        )
        self.config: Mapping[str, str] = {}
        self.seen: list[str] = []

    async def setup(self, config: Mapping[str, str]) -> None:
        if config.get("refuse"):
            raise CallerError("this mount option is not for us")
        self.config = config

    async def periodic(self) -> None:
        self.seen.append("periodic")
        await WriteAheadLog(self.storage).undo({"made": self._unmake}, min_age_seconds=0)

    async def _unmake(self, made: Mapping[str, str]) -> None:
        self.seen.append(f"unmade {made['name']}")

    async def invalidate(self, key: str) -> None:
        self.seen.append(f"invalidate {key}")

    async def cleanup(self) -> None:
        log.info("cleaned up")

    def exists(self, path: str) -> bool | None:
        if path == "boom":
            raise RuntimeError("exists failed")
        return {"known": True, "new": False, "items/new": False, "items/old": True}.get(path)

    def resolve_path(self, path: str) -> str | None:
        if path == "boom":
            raise RuntimeError("resolve_path failed")
        return f"kv/{path.removeprefix('alias/').lower()}" if path.startswith("alias/") else None

    async def fallback(self, request: Request) -> Response | None:  # noqa: C901, PLR0912 - a table of cases
        head, _, rest = request.path.partition("/")
        match head:
            case "kv":
                return await self._kv(request, rest)
            case "config":
                return Response(data=dict(self.config))
            case "seen":
                return Response(data={"seen": self.seen})
            case "echo":
                caller = request.caller
                who = [caller.request_id, caller.display_name, caller.entity_id, caller.accessor, caller.remote_address]
                return Response(data={"data": request.data, "who": who}, warnings=["mind the gap"])
            case "headers":
                request = self.request
                given = {"headers": dict(request.headers), "wrap": request.wrap_ttl_seconds}
                return Response(data=given, headers={"X-Engine": ["a", "b"]})
            case "wrapped":
                return Response(data={"password": "pa55"}, wrap_ttl_seconds=90)
            case "system":
                return await self._system(rest, request)
            case "page":
                return listing(await self.storage.page("kv/", after=str(request.data.get("after", "")), limit=2))
            case "transaction":
                return await self._transaction(rest)
            case "make":
                await WriteAheadLog(self.storage).write("made", {"name": rest})
                os._exit(4)
            case "open" | "guarded":
                return Response(data={"reached": request.path})
            case "nothing":
                return None
            case "secret":
                return Response(data={"password": SecretStr("pa55")})
            case "policy":
                return Response(data={"password": await self.system.generate_password(rest)})
            case "leased":
                now = datetime.now(UTC)
                ttl = float(request.data.get("ttl", 60))
                grant = LeaseGrant(ttl, 600, now, {TYPE_KEY: "example", "serial": 7})
                return Response(data={"password": "pa55"}, lease=grant)
            case "foreign-lease":
                return Response(data={}, lease=LeaseGrant(60, 600, datetime.now(UTC), {}))
            case "accepted":
                return Response(data={"state": "rotating"}, status=202)
            case "caller-error":
                raise CallerError("no such role", status=404, code="role_unknown", remedy="create it")
            case "operator-error":
                raise OperatorError("the org is locked")
            case "transient-error":
                raise TransientError("busy", status=429, retry_after_seconds=3)
            case "bug":
                raise ValueError("hunter2 is not a number")
            case "forgotten":
                asyncio.get_running_loop().create_future().set_exception(ValueError("hunter2"))
                return None
            case "unserialisable":
                return Response(data={"value": object()})
            case "active":
                self.require_active()
                return Response(data={"active": True})
            case "sleep":
                return await self._sleep(float(rest))
            case "big":
                return Response(data={"text": "x" * int(rest)})
            case "print":
                return _print(request)
            case "linger":
                threading.Thread(target=threading.Event().wait, args=(60,)).start()
                return None
            case "die":
                os._exit(3)
        return await super().fallback(request)

    async def _kv(self, request: Request, key: str) -> Response | None:
        match request.operation:
            case Operation.LIST:
                return listing(await self.storage.list(f"kv/{key}"))
            case Operation.READ:
                value = await self.storage.get(f"kv/{key}")
                return None if value is None else Response(data=json.loads(value))
            case Operation.DELETE:
                await self.storage.delete(f"kv/{key}")
            case Operation.CREATE | Operation.UPDATE:
                await self.storage.put(f"kv/{key}", json.dumps(dict(request.data)).encode())
            case _:
                return await super().fallback(request)
        return None

    async def _system(self, call: str, request: Request) -> Response:
        system = self.system
        match call:
            case "entity":
                entity = await system.entity(request.caller.entity_id)
                groups = await system.groups_of_entity(request.caller.entity_id)
                names = [group.name for group in groups]
                aliases = [alias.name for alias in entity.aliases] if entity else []
                return Response(data={"name": entity and entity.name, "aliases": aliases, "groups": names})
            case "wrap":
                wrapped = await system.wrap({"password": SecretStr("pa55")}, 90)
                return Response(data={"token": wrapped.token, "ttl": wrapped.ttl_seconds})
            case "absent":
                said = []
                for _ in range(2):
                    try:
                        await system.identity_token("someone", 60)
                    except NotOfferedError as exc:
                        said.append(str(exc))
                return Response(data={"said": said})
        state = await system.replication_state(), await system.tainted(), await system.caching_disabled()
        where = await system.local_mount(), await system.mlock_enabled(), await system.cluster_id()
        ttls = await system.default_lease_ttl_seconds(), await system.max_lease_ttl_seconds()
        return Response(data={"state": state, "where": where, "ttls": ttls, "version": await system.server_version()})

    async def _transaction(self, end: str) -> Response:
        said = ""
        try:
            async with self.storage.transaction() as tx:
                await tx.put("kv/in", b'{"n": 1}')
                inside = await tx.get("kv/in"), await tx.list("kv/"), await tx.page("kv/", limit=1)
                outside = await self.storage.get("kv/in")
                if end == "conflict":
                    await self.storage.put("kv/in", b'{"n": 2}')
                if end == "error":
                    raise LookupError  # noqa: TRY301 - as a handler's bug would
        except ConflictError as exc:
            said = str(exc)
        except LookupError:
            said = "rolled back"
        after = await self.storage.get("kv/in")
        shown = {"inside": inside[0] is not None, "listed": inside[1:], "outside": outside is not None}
        return Response(data=shown | {"after": after is not None, "said": said, "is": self.storage.transactional})

    async def _sleep(self, seconds: float) -> Response:
        self.seen.append("asleep")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        return Response(data={"slept": seconds})


def _saying(operation: Operation) -> Callable[..., Response]:
    def said(_: Example, __: Caller, **given: object) -> Response:
        shown = {name: bool(value) if isinstance(value, SecretStr) else value for name, value in given.items()}
        return Response(data={"operation": operation, **shown})

    return said


def _items(_: Example, __: Caller, tags: tuple[str, ...]) -> Response:
    return listing(["a", "b"], {"a": {"tags": tags}})


def _print(request: Request) -> None:
    text = request.data["text"]
    match request.data["way"]:
        case "print":
            sys.stdout.write(text + "\n")
        case "descriptor":
            os.write(2, text.encode() + b"\n")
        case "log":
            log.warning(text, extra={"@message": 5, "@level": {}, "number": 7, "secret": SecretStr("hunter2")})


async def _renew(_: Example, lease: Lease) -> LeaseGrant:
    assert lease.issued
    return LeaseGrant(lease.increment_seconds or 60, 600, lease.issued, lease.internal_data)


async def _revoke(backend: Example, lease: Lease) -> None:
    assert lease.issued
    assert datetime.now(UTC) - lease.issued < timedelta(hours=1)
    if backend.config.get("revoke") == "fails":
        raise TransientError("the org is away")
    backend.seen.append(f"revoked {lease.internal_data['serial']}")


if __name__ == "__main__":
    serve(Example, version="0.3.1")
