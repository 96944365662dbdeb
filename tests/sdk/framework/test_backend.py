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


def test_nothing_is_known_of_existence_unless_an_engine_says_so():
    assert Example().exists("plain") is None
