"""Backend: what each operation becomes."""

import asyncio
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.backend import Backend
from vault_plugin_sdk.framework.path import Description, Path
from vault_plugin_sdk.framework.secret import TYPE_KEY, Secret
from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, InternalError
from vault_plugin_sdk.logical.request import Lease, Operation
from vault_plugin_sdk.logical.response import LeaseGrant, Response
from vault_plugin_sdk.testing import Mounted

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


class Example(Backend):
    """An engine with a path of each sort, that notes which hooks ran."""

    def __init__(self):
        self.events = []
        super().__init__(
            [
                Path(Description("plain", help="Plain."), {Operation.READ: lambda *_: Response(data={"a": 1})}),
                Path(Description("later", help="Later."), {Operation.READ: self.later}),
                Path(
                    Description("nothing", help="Nothing."),
                    {Operation.READ: lambda *_: None, Operation.DELETE: lambda *_: None},
                ),
            ],
            secrets=[Secret("key", self.renew, self.revoke)],
            introduction="An example.",
            described=[Description("elsewhere/{name}", help="Elsewhere.")],
        )

    async def later(self, context, caller):
        assert context is self
        return Response(data={"by": caller.display_name})

    async def renew(self, context, lease):
        return LeaseGrant(60, 600, NOON, lease.internal_data)

    async def revoke(self, context, lease):
        self.events.append("revoked")

    async def periodic(self):
        self.events.append("tick")


def run(*asked, standby=False, backend=None, **how):
    async def scenario():
        mounted = await Mounted(backend or Example(), standby=standby).start()
        return await mounted.ask(*asked, **how)

    return asyncio.run(scenario())


def lease(kind="key"):
    return Lease({TYPE_KEY: kind}, 60, 600, 0, NOON)


def test_handlers_may_be_plain_or_coroutines_and_may_have_nothing_to_say():
    assert run("read", "plain").data == {"a": 1}
    assert run("read", "later").data == {"by": "tester"}
    assert run("read", "nothing") == Response()


def test_a_parameter_that_is_not_known_is_a_warning_but_makes_nothing_there():
    assert run("read", "plain", odd="1").warnings == ("unknown field 'odd'",)
    assert run("read", "nothing", odd="1") == Response()
    assert run("delete", "nothing", odd="1").warnings == ("unknown field 'odd'",)


def test_a_path_of_no_table_goes_to_the_fallback_and_without_one_is_404():
    with pytest.raises(CallerError) as refused:
        run("read", "elsewhere/x")
    assert refused.value.status == 404

    class Forwarding(Example):
        async def fallback(self, request):
            return Response(data={"forwarded": request.path})

    assert run("read", "elsewhere/x", backend=Forwarding()).data == {"forwarded": "elsewhere/x"}


def test_a_lease_is_renewed_and_revoked_by_the_secret_that_its_internal_data_names():
    assert run("renew", "plain", lease=lease()).lease == LeaseGrant(60, 600, NOON, {TYPE_KEY: "key"})
    example = Example()
    assert run("revoke", "plain", lease=lease(), backend=example) == Response()
    assert example.events == ["revoked"]


def test_a_lease_of_another_engine_is_an_internal_error():
    for foreign in (lease("other"), Lease({}, 0, 0, 0, None), None):
        with pytest.raises(InternalError):
            run("revoke", "plain", lease=foreign)


def test_the_tick_runs_on_the_active_node_alone():
    active, standby = Example(), Example()
    run("rollback", "", backend=active)
    run("rollback", "", backend=standby, standby=True)
    assert (active.events, standby.events) == (["tick"], [])


def test_a_standby_is_known_by_its_replication_state():
    example = Example()
    run("read", "plain", backend=example, standby=True)
    assert example.standby
    with pytest.raises(ForwardToActive):
        example.require_active()


def test_help_covers_the_table_and_what_is_described_besides():
    text = run("help", "").data["help"]
    for part in ("An example.", "plain", "elsewhere/{name}"):
        assert part in text
    assert "Elsewhere." in run("help", "elsewhere/x").data["help"]
    with pytest.raises(CallerError):
        run("help", "unheard/of")


def test_help_brings_the_document_of_the_mount_or_of_the_path():
    whole = run("help", "", requestResponsePrefix="Example").data
    assert whole["see_also"] is None
    assert set(whole["openapi"]["paths"]) == {"/plain", "/later", "/nothing", "/elsewhere/{name}"}
    assert whole["openapi"]["paths"]["/plain"]["get"]["operationId"] == "example-read-plain"
    assert whole["openapi"]["info"]["title"] == "An example."
    assert set(run("help", "elsewhere/x").data["openapi"]["paths"]) == {"/elsewhere/{name}"}
    assert run("help", "plain", requestResponsePrefix=7).data["openapi"]["paths"]["/plain"]


@pytest.mark.parametrize("operation", [Operation.SCAN, Operation.HEADER])
@pytest.mark.parametrize("path", ["plain", "elsewhere/x", "elsewhere/", ""])
def test_rare_operations_are_405_also_where_a_fallback_would_answer(operation, path):
    class Writing(Example):
        async def fallback(self, request):
            pytest.fail("taken for another")

    with pytest.raises(CallerError) as refused:
        run(operation, path, backend=Writing())
    assert refused.value.status == 405


def test_a_rare_operation_that_a_path_has_is_answered():
    class Scanning(Backend):
        def __init__(self):
            scan = {Operation.SCAN: lambda *_: Response(data={"keys": ["a/b"]})}
            super().__init__([Path(Description("things/{name}", help="Things."), scan)])

    assert run("scan", "things/", backend=Scanning()).data == {"keys": ["a/b"]}


def test_a_handler_can_look_at_the_request_that_it_answers():
    class Looking(Backend):
        def __init__(self):
            super().__init__([Path(Description("me", help="Me."), {Operation.READ: self.me})])

        def me(self, *_):
            return Response(data={"path": self.request.path, "mount": self.request.mount_point})

    assert run("read", "me", backend=Looking()).data == {"path": "me", "mount": "test/"}
    with pytest.raises(LookupError):
        _ = Looking().request


def test_requests_at_the_same_time_do_not_see_each_other():
    class Looking(Backend):
        async def fallback(self, request):
            await asyncio.sleep(0)
            return Response(data={"same": self.request is request})

    async def scenario():
        mounted = await Mounted(Looking([])).start()
        return await asyncio.gather(*(asyncio.create_task(mounted.ask("read", str(n))) for n in range(10)))

    assert all(answer.data["same"] for answer in asyncio.run(scenario()))


def test_no_path_is_another_name_unless_an_engine_says_so():
    assert Example().resolve_path("plain") is None


def test_nothing_is_known_of_existence_unless_an_engine_says_so():
    assert Example().exists("plain") is None
