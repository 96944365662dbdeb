"""pb.Backend without a socket: what each call makes of its Backend."""

import asyncio
import json
import logging

import pytest

from vault_plugin_sdk.framework.backend import Backend
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.logical.storage import ReadOnlyStorageError
from vault_plugin_sdk.wire.backend_service import BackendService
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.methods import RpcError
from vault_plugin_sdk.wire.proto import backend_pb2 as pb

MOUNT = {"multiplex_id": "abcdefghij"}
PATIENCE_SECONDS = 20.0  # of the test: no server sets a limit to an ordinary request


class Engine(Backend):
    """Does what the path says."""

    request_limit_seconds = 0.02
    max_request_bytes = 100

    def __init__(self) -> None:
        super().__init__([])
        self.ended = 0

    async def fallback(self, request):
        match request.path:
            case "slow":
                await asyncio.Event().wait()
            case "own-timeout":
                raise TimeoutError
            case "read-only":
                raise ReadOnlyStorageError
            case "standby":
                self.standby = True
                self.require_active()
        return Response(data={"config": self.config})

    async def setup(self, config):
        self.config = dict(config)
        if "refuse" in config:
            raise CallerError("not with this option")
        if "bug" in config:
            raise ValueError("hunter2")

    async def invalidate(self, key):
        raise ValueError(key)

    async def cleanup(self):
        self.ended += 1

    def exists(self, path):
        return {"known": True, "new": False}[path]

    def resolve_path(self, path):
        return {"alias": "known", "wrong": 7, "empty": ""}[path]


@pytest.fixture
def made():
    return []


@pytest.fixture
def service(made):
    def factory() -> Engine:
        made.append(Engine())
        return made[-1]

    return BackendService(factory, Broker(lambda _: None, patience_seconds=0.01))


def setup(service, mount=MOUNT, **config):
    return asyncio.run(service.setup(pb.SetupArgs(broker_id=1, Config=config), mount)).err


def send(service, operation, path="", data="null", mount=MOUNT):
    request = pb.Request(operation=operation, path=path, data=data)
    answer = service.handle_request(pb.HandleRequestArgs(request=request), mount)
    return asyncio.run(asyncio.wait_for(answer, PATIENCE_SECONDS))


def test_setup_needs_no_server_side(service):
    """At registration there never is one, and waiting for it would fail the probe."""
    assert setup(service) == ""


def test_each_multiplex_id_has_its_own_backend(service, made):
    setup(service, {"multiplex_id": "one"}, name="1")
    setup(service, {"multiplex_id": "two"}, name="2")
    setup(service, {}, name="alone")

    answers = [send(service, "read", mount=mount) for mount in ({"multiplex_id": "two"}, {"multiplex_id": "one"}, {})]

    assert [json.loads(answer.response.data)["config"]["name"] for answer in answers] == ["2", "1", "alone"]
    assert len(made) == 3


def test_a_second_setup_replaces_the_first_and_ends_it(service, made):
    setup(service)
    setup(service)

    assert [engine.ended for engine in made] == [1, 0]


def test_a_refused_setup_says_why_and_a_broken_one_gives_an_id(service, caplog):
    assert setup(service, refuse="1") == "not with this option"
    with caplog.at_level(logging.ERROR):
        error = setup(service, bug="1")
    assert "hunter2" not in error
    assert caplog.records[0].incident in error


def test_a_mount_that_was_not_set_up_is_a_status(service):
    with pytest.raises(RpcError):
        send(service, "read")


@pytest.mark.parametrize("operation", ["resolve-path", "resolve-role", "", "no-such-operation"])
def test_resolve_path_and_unknown_operations_are_unsupported_at_any_time(service, caplog, operation):
    caplog.set_level(logging.DEBUG)
    for data in ("null", "{not json", "x" * 2_000_000):
        reply = send(service, operation, "any/path", data)
        assert reply.err.err_type == 5
        assert not reply.HasField("response")
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize(
    ("path", "found", "exists"), [("known", True, True), ("new", True, False), ("x", False, False)]
)
def test_the_existence_check_is_answered_from_memory_without_a_word(service, caplog, path, found, exists):
    """The last case is a check that breaks: taken as update, and not logged, for strangers may send it."""
    caplog.set_level(logging.DEBUG)
    setup(service)
    args = pb.HandleRequestArgs(request=pb.Request(operation="create", path=path, data="{not json"))

    reply = asyncio.run(service.handle_existence_check(args, MOUNT))

    assert (reply.check_found, reply.exists, reply.HasField("err")) == (found, exists, False)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_another_name_of_a_path_is_resolved(service, caplog):
    caplog.set_level(logging.DEBUG)
    setup(service)

    reply = send(service, "resolve-path", "alias", "{not json")

    assert json.loads(reply.response.data) == {"path": "known"}
    assert [record for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize("path", ["unheard of", "wrong", "empty"])
def test_a_path_that_cannot_be_resolved_is_the_path_as_given_whatever_went_wrong(service, caplog, path):
    """The first breaks the hook: any other error than "unsupported" would fail every request with 500."""
    caplog.set_level(logging.DEBUG)
    setup(service)

    reply = send(service, "resolve-path", path)

    assert (reply.err.err_type, reply.HasField("response")) == (5, False)
    assert [record for record in caplog.records if record.name != "asyncio"] == []


def test_a_body_is_as_long_as_the_engine_allows(service):
    setup(service)

    assert "http_status_code" not in json.loads(send(service, "update", "x", '{"a":1}').response.data)
    too_long = json.dumps({"a": "x" * 100})
    assert json.loads(send(service, "update", "x", too_long).response.data)["http_status_code"] == 400


def test_a_request_that_takes_too_long_is_given_up(service):
    setup(service)

    reply = send(service, "read", "slow")

    assert json.loads(reply.response.data)["http_status_code"] == 500


def test_a_time_limit_of_the_engines_own_is_an_internal_error(service, caplog):
    setup(service)

    send(service, "read", "own-timeout")

    assert caplog.records[0].during == "read own-timeout"


@pytest.mark.parametrize("path", ["read-only", "standby"])
@pytest.mark.parametrize("operation", ["read", "update"])
def test_a_standby_asks_for_the_active_node(service, path, operation):
    setup(service)

    reply = send(service, operation, path)

    assert (reply.err.err_type, reply.err.err_msg) == (0, "please forward to the active node")


def test_a_hook_that_breaks_holds_nobody_up(service, caplog):
    setup(service)

    asyncio.run(service.invalidate_key(pb.InvalidateKeyArgs(key="a"), MOUNT))

    assert caplog.records[0].hook == "invalidate"


def test_a_hook_that_does_not_end_holds_nobody_up():
    class Stuck(Engine):
        async def setup(self, config):
            if "stuck" in config:
                await asyncio.Event().wait()

        async def initialize(self):
            await asyncio.Event().wait()

        cleanup = initialize

        async def invalidate(self, key):
            await asyncio.Event().wait()

    service = BackendService(Stuck, Broker(lambda _: None), hook_limit_seconds=0.02)
    assert "internal error" in setup(service, stuck="1")
    assert setup(service) == ""
    assert "internal error" in asyncio.run(service.initialize(pb.Empty(), MOUNT)).err.err_msg
    asyncio.run(service.invalidate_key(pb.InvalidateKeyArgs(key="a"), MOUNT))
    asyncio.run(service.cleanup(pb.Empty(), MOUNT))


def test_cleanup_ends_the_mount(service, made):
    setup(service)
    asyncio.run(service.cleanup(pb.Empty(), MOUNT))

    assert made[0].ended == 1
    with pytest.raises(RpcError):
        send(service, "read")
