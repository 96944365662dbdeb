"""A tiny engine behind the real `serve`, for tests that need a plugin process: each path shows one property."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from vault_plugin_sdk.framework.backend import Backend, SpecialPaths
from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError, OperatorError, TransientError
from vault_plugin_sdk.logical.request import Lease, Operation, Request
from vault_plugin_sdk.logical.response import LeaseGrant, Response, listing
from vault_plugin_sdk.wire.serve import serve

log = logging.getLogger("example")


class Example(Backend):
    """Answers everything in `fallback`, so that these tests stay independent of routing."""

    def __init__(self) -> None:
        super().__init__(
            [],
            secrets=[Secret("example", _renew, _revoke)],
            special=SpecialPaths(root=("guarded/*",), seal_wrap=("kept/",)),
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

    async def invalidate(self, key: str) -> None:
        self.seen.append(f"invalidate {key}")

    async def cleanup(self) -> None:
        log.info("cleaned up")

    def exists(self, path: str) -> bool | None:
        if path == "boom":
            raise RuntimeError("exists failed")
        return {"known": True, "new": False}.get(path)

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
            case _:
                await self.storage.put(f"kv/{key}", json.dumps(dict(request.data)).encode())
        return None

    async def _sleep(self, seconds: float) -> Response:
        self.seen.append("asleep")
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            self.seen.append("cancelled")
            raise
        return Response(data={"slept": seconds})


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
