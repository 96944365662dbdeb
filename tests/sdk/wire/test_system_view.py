"""The server's view of a mount, over the mount's own connection."""

import asyncio
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.storage import StorageError
from vault_plugin_sdk.logical.system import Alias, Entity, Group, NotOfferedError, Wrapped
from vault_plugin_sdk.wire.host import HostLink
from vault_plugin_sdk.wire.methods import RpcError, Status
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.system_view import HostSystemView

SECOND = 1_000_000_000
REPLIES = {
    "ReplicationState": pb.ReplicationStateReply(state=8224),
    "Tainted": pb.TaintedReply(tainted=True),
    "CachingDisabled": pb.CachingDisabledReply(disabled=True),
    "LocalMount": pb.LocalMountReply(local=True),
    "MlockEnabled": pb.MlockEnabledReply(enabled=True),
    "DefaultLeaseTTL": pb.TTLReply(TTL=60 * SECOND),
    "MaxLeaseTTL": pb.TTLReply(TTL=600 * SECOND),
    "GeneratePasswordFromPolicy": pb.GeneratePasswordFromPolicyReply(password="from-strict"),
    "EntityInfo": pb.EntityInfoReply(
        entity=pb.Entity(
            ID="e1",
            name="alice",
            metadata={"team": "crm"},
            aliases=[pb.Alias(name="alice@example.com", mount_accessor="m1", mount_type="userpass")],
        )
    ),
    "GroupsForEntity": pb.GroupsForEntityReply(groups=[pb.Group(ID="g1", name="admins", metadata={"a": "b"})]),
    "ResponseWrapData": pb.ResponseWrapDataReply(
        wrap_info=pb.ResponseWrapInfo(
            token="t", accessor="a", TTL=90 * SECOND, creation_time=pb.Timestamp(seconds=5, nanos=SECOND // 2)
        )
    ),
    "PluginEnv": pb.PluginEnvReply(plugin_environment=pb.PluginEnvironment(vault_version="2.7.2")),
    "ClusterInfo": pb.ClusterInfoReply(cluster_id="c1"),
    "GenerateIdentityToken": pb.GenerateIdentityTokenResponse(token="jwt", ttl=60),
}


class Server:
    """Answers from a table; remembers what it was asked. It is its own broker and its only connection."""

    def __init__(self, **replies):
        self.replies = REPLIES | replies
        self.asked = []

    async def connect(self, _):
        return self

    async def call(self, method, request):
        self.asked.append(request)
        reply = self.replies[method.path.rpartition("/")[2]]
        if isinstance(reply, RpcError):
            raise reply
        assert isinstance(reply, method.reply_type)
        return reply


def ask(call, *arguments, server=None):
    async def scenario():
        return await getattr(HostSystemView(HostLink(server or Server(), 1)), call)(*arguments)

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    ("call", "arguments", "answer"),
    [
        ("replication_state", (), 8224),
        ("tainted", (), True),
        ("caching_disabled", (), True),
        ("local_mount", (), True),
        ("mlock_enabled", (), True),
        ("default_lease_ttl_seconds", (), 60),
        ("max_lease_ttl_seconds", (), 600),
        ("generate_password", ("strict",), "from-strict"),
        (
            "entity",
            ("e1",),
            Entity("e1", "alice", {"team": "crm"}, (Alias("alice@example.com", "m1", "userpass"),)),
        ),
        ("groups_of_entity", ("e1",), (Group("g1", "admins", {"a": "b"}),)),
        ("server_version", (), "2.7.2"),
        ("cluster_id", (), "c1"),
        ("identity_token", ("someone", 60), "jwt"),
    ],
)
def test_every_call_is_answered_in_our_own_words(call, arguments, answer):
    assert ask(call, *arguments) == answer


def test_an_entity_that_is_not_there_is_none():
    assert ask("entity", "nobody", server=Server(EntityInfo=pb.EntityInfoReply())) is None


def test_what_is_wrapped_goes_out_in_clear_and_its_token_does_not_print():
    server = Server()

    wrapped = ask("wrap", {"password": SecretStr("pa55")}, 90, server=server)

    assert server.asked == [pb.ResponseWrapDataArgs(data='{"password":"pa55"}', TTL=90 * SECOND)]
    assert wrapped == Wrapped("t", "a", 90, datetime(1970, 1, 1, 0, 0, 5, 500_000, tzinfo=UTC))
    assert "'t'" not in repr(wrapped)


def test_times_to_live_of_an_identity_token_are_seconds():
    server = Server()
    ask("identity_token", "someone", 60, server=server)
    assert server.asked == [pb.GenerateIdentityTokenRequest(audience="someone", ttl=60)]


@pytest.mark.parametrize(
    "server",
    [
        Server(EntityInfo=pb.EntityInfoReply(err="no such entity")),
        Server(EntityInfo=RpcError(Status.INTERNAL, "no such entity")),
    ],
)
def test_a_refusal_comes_in_either_form(server):
    with pytest.raises(StorageError, match="no such entity"):
        ask("entity", "e1", server=server)


def test_a_call_that_the_server_lacks_is_told_apart():
    with pytest.raises(NotOfferedError, match="the server has no /pb"):
        ask("identity_token", "a", 1, server=Server(GenerateIdentityToken=RpcError(Status.UNIMPLEMENTED, "unknown")))
