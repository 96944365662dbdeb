"""Plays Vault's side of the wire for one plugin process: starts it, connects as the server does, and drives its mounts.

Everything a test sees is what went over the pipe and the socket. The host's key is P-521, as go-plugin's is.
"""

import asyncio
import base64
import contextlib
import itertools
import json
import os
import ssl
import sys
import tempfile
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING, Any, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf.message import Message
from grpclib.client import Channel, Stream, StreamStreamMethod, UnaryUnaryMethod
from grpclib.config import Configuration

from vault_plugin_sdk.logical.storage import MemoryStorage, Storage
from vault_plugin_sdk.wire.grpclib_transport import start_server
from vault_plugin_sdk.wire.handshake import COOKIE_NAME, COOKIE_VALUE
from vault_plugin_sdk.wire.methods import Methods, RpcError, Status, Unary
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.proto import go_plugin_pb2 as go_plugin
from vault_plugin_sdk.wire.tls import client_context, make_key_pair, server_context

if TYPE_CHECKING:
    from grpclib.server import Server

T = TypeVar("T")
PATIENCE_SECONDS = 20.0
SECOND = 1_000_000_000
ACTIVE, STANDBY = 8224, 24576
EXAMPLE = Path(__file__).parent / "sdk" / "wire" / "example_plugin.py"


def certificate_pem(pem: bytes) -> str:
    """The certificate of a key pair, without its key."""
    return pem[: pem.index(b"-----BEGIN PRIVATE KEY")].decode()


class _RolledBack(Exception):  # noqa: N818 - how a transaction is left without its changes
    """See `HostSide`."""


class HostSide:
    """What the server offers one mount: storage in memory, and a view that the test may change.

    Attributes:
        storage: The mount's storage; `read_only` makes it a standby's.
        lacks: Calls that this server does not have; by default what OpenBao lacks.
        replication_state: Answer of ReplicationState.
        calls: Paths of the calls that came in, in order.
    """

    def __init__(self) -> None:
        self.storage = MemoryStorage()
        self.lacks: set[str] = set()
        self.replication_state = ACTIVE
        self.is_tainted = False
        self.calls: list[str] = []
        self._transactions: dict[str, tuple[Storage, contextlib.AsyncExitStack]] = {}

    def methods(self) -> Methods:
        """The rows that the broker connection serves."""
        rows = {
            "Storage/Get": (self._get, pb.StorageGetArgs, pb.StorageGetReply),
            "Storage/Put": (self._put, pb.StoragePutArgs, pb.StoragePutReply),
            "Storage/Delete": (self._delete, pb.StorageDeleteArgs, pb.StorageDeleteReply),
            "Storage/List": (self._list, pb.StorageListArgs, pb.StorageListReply),
            "Storage/ListPage": (self._page, pb.StorageListPageArgs, pb.StorageListReply),
            "Storage/IsTransactional": (self._is_transactional, pb.Empty, pb.StorageIsTransactionalReply),
            "Storage/BeginTx": (self._begin, pb.Empty, pb.StorageBeginTxReply),
            "Storage/BeginReadOnlyTx": (self._begin, pb.Empty, pb.StorageBeginTxReply),
            "Storage/Commit": (self._commit, pb.StorageEndTxArgs, pb.StorageEndTxReply),
            "Storage/Rollback": (self._roll_back, pb.StorageEndTxArgs, pb.StorageEndTxReply),
            "SystemView/ReplicationState": (self._replication_state, pb.Empty, pb.ReplicationStateReply),
            "SystemView/DefaultLeaseTTL": (self._ttl, pb.Empty, pb.TTLReply),
            "SystemView/MaxLeaseTTL": (self._ttl, pb.Empty, pb.TTLReply),
            "SystemView/Tainted": (self._tainted, pb.Empty, pb.TaintedReply),
            "SystemView/GeneratePasswordFromPolicy": (
                self._password,
                pb.GeneratePasswordFromPolicyRequest,
                pb.GeneratePasswordFromPolicyReply,
            ),
        }
        return {
            f"/pb.{name}": Unary(self._counted(name, row[0]), row[1], row[2])
            for name, row in rows.items()
            if name not in self.lacks
        }

    def _counted(self, name: str, handler: Any) -> Any:
        async def handle(request: Message, _: Mapping[str, str]) -> Message:
            self.calls.append(name)
            return await handler(request)

        return handle

    def _storage(self, args: Any) -> Storage:
        return self._transactions[args.txn][0] if args.txn else self.storage

    async def _get(self, args: pb.StorageGetArgs) -> pb.StorageGetReply:
        value = await self._storage(args).get(args.key)
        return pb.StorageGetReply(entry=None if value is None else pb.StorageEntry(key=args.key, value=value))

    async def _put(self, args: pb.StoragePutArgs) -> pb.StoragePutReply:
        return pb.StoragePutReply(err=await self._said(self._storage(args).put(args.entry.key, args.entry.value)))

    async def _delete(self, args: pb.StorageDeleteArgs) -> pb.StorageDeleteReply:
        return pb.StorageDeleteReply(err=await self._said(self._storage(args).delete(args.key)))

    async def _list(self, args: pb.StorageListArgs) -> pb.StorageListReply:
        return pb.StorageListReply(keys=await self._storage(args).list(args.prefix))

    async def _page(self, args: pb.StorageListPageArgs) -> pb.StorageListReply:
        keys = await self._storage(args).page(args.prefix, after=args.after, limit=args.limit)
        return pb.StorageListReply(keys=keys)

    async def _is_transactional(self, _: pb.Empty) -> pb.StorageIsTransactionalReply:
        return pb.StorageIsTransactionalReply(transactional=True)

    async def _begin(self, _: pb.Empty) -> pb.StorageBeginTxReply:
        stack = contextlib.AsyncExitStack()
        try:
            storage = await stack.enter_async_context(self.storage.transaction())
        except Exception as exc:  # noqa: BLE001 - errors of storage travel as text
            return pb.StorageBeginTxReply(err=str(exc))
        number = f"txn-{len(self.calls)}"
        self._transactions[number] = (storage, stack)
        return pb.StorageBeginTxReply(txn=number)

    async def _commit(self, args: pb.StorageEndTxArgs) -> pb.StorageEndTxReply:
        _, stack = self._transactions.pop(args.txn)
        return pb.StorageEndTxReply(err=await self._said(stack.aclose()))

    async def _roll_back(self, args: pb.StorageEndTxArgs) -> pb.StorageEndTxReply:
        _, stack = self._transactions.pop(args.txn)
        with contextlib.suppress(_RolledBack):
            await stack.__aexit__(_RolledBack, _RolledBack(), None)
        return pb.StorageEndTxReply()

    async def _replication_state(self, _: pb.Empty) -> pb.ReplicationStateReply:
        return pb.ReplicationStateReply(state=self.replication_state)

    async def _ttl(self, _: pb.Empty) -> pb.TTLReply:
        return pb.TTLReply(TTL=2_764_800 * SECOND)

    async def _tainted(self, _: pb.Empty) -> pb.TaintedReply:
        return pb.TaintedReply(tainted=self.is_tainted)

    async def _password(self, args: pb.GeneratePasswordFromPolicyRequest) -> pb.GeneratePasswordFromPolicyReply:
        if args.policy_name == "missing":
            raise RpcError(Status.INTERNAL, "failed to generate password")
        return pb.GeneratePasswordFromPolicyReply(password=f"from-{args.policy_name}")

    async def _said(self, change: Coroutine[Any, Any, None]) -> str:
        try:
            await change
        except Exception as exc:  # noqa: BLE001 - errors of storage travel as text
            return str(exc)
        return ""


class Mount:
    """One mount of the plugin, with the server's side of it."""

    def __init__(self, host: "WireHost", multiplex_id: str, broker_id: int) -> None:
        self._host = host
        self._metadata = {"multiplex_id": multiplex_id}
        self.broker_id = broker_id
        self.side = HostSide()

    async def call(self, method: str, request: Message, reply: type[Message]) -> Any:
        """Call `pb.Backend`; raises what grpclib raises."""
        return await self._host.call(f"/pb.Backend/{method}", request, reply, self._metadata)

    async def setup(self, config: Mapping[str, str] | None = None) -> pb.SetupReply:
        args = pb.SetupArgs(broker_id=self.broker_id, Config=config or {}, backendUUID="a-uuid")
        return await self.call("Setup", args, pb.SetupReply)

    async def initialize(self) -> pb.InitializeReply:
        return await self.call("Initialize", pb.Empty(), pb.InitializeReply)

    async def send(self, operation: str, path: str, data: object = None, **fields: Any) -> pb.HandleRequestReply:
        """One request as it comes from the server; `data` is JSON, or a text that is sent as it is."""
        text = data if isinstance(data, str) else json.dumps(data)
        request = pb.Request(operation=operation, path=path, data=text, mount_point="example/", **fields)
        return await self.call("HandleRequest", pb.HandleRequestArgs(request=request), pb.HandleRequestReply)

    async def exists(self, path: str) -> pb.HandleExistenceCheckReply:
        args = pb.HandleRequestArgs(request=pb.Request(operation="create", path=path, data="{not even json"))
        return await self.call("HandleExistenceCheck", args, pb.HandleExistenceCheckReply)


class WireHost:
    """A host with one plugin process. Use it in a `with` block; `run` is where things happen.

    Args:
        command: Program and arguments of the plugin.
        environ: Changes to the environment; None as a value takes the variable away.

    Attributes:
        line: The handshake line, "" where none came.
        logged: Lines of the plugin's stderr so far.
    """

    def __init__(self, command: Sequence[str | Path], environ: Mapping[str, str | None] | None = None) -> None:
        self._pair = make_key_pair(ec.SECP521R1())
        self._directory = tempfile.TemporaryDirectory(prefix="wire-host-")
        self._runner = asyncio.Runner()
        self._ids = itertools.count(1)
        self._servers: list[Server] = []
        self._channel: Channel | None = None
        self._broker: Stream[Any, Any] | None = None
        changed = self._environment() | dict(environ or {})
        self.process = Popen(
            [str(part) for part in command],
            env={name: value for name, value in changed.items() if value is not None},
            stdin=None,
            stdout=PIPE,
            stderr=PIPE,
        )
        self.logged: list[str] = []
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()
        assert self.process.stdout
        self.line = self.process.stdout.readline().decode()

    def _environment(self) -> dict[str, str | None]:
        return {
            "PATH": os.environ["PATH"],
            "TMPDIR": self._directory.name,
            COOKIE_NAME: COOKIE_VALUE,
            "PLUGIN_PROTOCOL_VERSIONS": "5",
            "PLUGIN_MIN_PORT": "10000",
            "PLUGIN_MAX_PORT": "25000",
            "PLUGIN_CLIENT_CERT": certificate_pem(self._pair.pem),
            "VAULT_PLUGIN_AUTOMTLS_ENABLED": "true",
            "VAULT_VERSION": "2.7.2",
        }

    def _read_stderr(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.logged.append(line.decode())

    @property
    def socket(self) -> str:
        """The plugin's socket, as the line names it."""
        return self.line.split("|")[3]

    @property
    def leftovers(self) -> list[Path]:
        """What lies in the plugin's temporary directory."""
        return [path for path in Path(self._directory.name).iterdir() if not path.name.startswith("host-")]

    def plugin_certificate(self) -> str:
        """PEM of the certificate in the handshake line."""
        text = self.line.rstrip("\n").split("|")[5]
        return ssl.DER_cert_to_PEM_cert(base64.b64decode(text + "=" * (-len(text) % 4)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.wait()
        self.run(self._close())
        self._runner.close()
        self._reader.join(PATIENCE_SECONDS)
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        self._directory.cleanup()

    async def _close(self) -> None:
        if self._channel is not None:
            self._channel.close()
        for server in self._servers:
            server.close()
        # The plugin is dead: each connection sees its end within a few turns, and only the loop's own pipe remains.
        loop = asyncio.get_running_loop()
        while len(loop._selector.get_map()) > 1:  # noqa: ASYNC110 - grpclib tells nobody
            await asyncio.sleep(0.001)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the host's loop; the host serves its side while it runs."""
        return self._runner.run(asyncio.wait_for(work, PATIENCE_SECONDS * 2))

    def wait(self) -> int | None:
        """Wait for the plugin's end: its exit code, or None if it goes on."""
        try:
            return self.process.wait(PATIENCE_SECONDS)
        except TimeoutExpired:
            return None

    def wait_for_end_of_log(self) -> None:
        """Wait until the last process that could write a line has ended."""
        self._reader.join(PATIENCE_SECONDS)
        assert not self._reader.is_alive()

    async def connect(self) -> None:
        """Connect and open the broker's stream, as the server does right after the handshake."""
        config = Configuration(
            http2_connection_window_size=2**26, http2_stream_window_size=2**26, ssl_target_name_override="localhost"
        )
        context = client_context(self._pair, self.plugin_certificate())
        self._channel = Channel(path=self.socket, ssl=context, config=config)
        announce = StreamStreamMethod(
            self._channel, "/plugin.GRPCBroker/StartStream", go_plugin.ConnInfo, go_plugin.ConnInfo
        )
        self._broker = await announce.open().__aenter__()
        await self._broker.send_request()
        await self._broker.recv_initial_metadata()

    async def call(
        self,
        path: str,
        request: Message,
        reply: type[Message],
        metadata: Mapping[str, str] | None = None,
    ) -> Any:
        """Any unary call to the plugin."""
        assert self._channel
        method = UnaryUnaryMethod(self._channel, path, type(request), reply)
        return await method(request, timeout=PATIENCE_SECONDS, metadata=dict(metadata or {}))

    def new_mount(self) -> Mount:
        """A mount of which the plugin has not heard yet, and whose storage is not announced."""
        number = next(self._ids)
        return Mount(self, f"mount-{number:04}", number)

    async def announce(self, mount: Mount) -> None:
        """Serve the mount's storage on a socket of its own and tell the plugin where."""
        assert self._broker
        path = Path(self._directory.name) / f"host-{mount.broker_id}"
        context = server_context(self._pair, self.plugin_certificate())
        self._servers.append(await start_server(mount.side.methods(), path, context))
        info = go_plugin.ConnInfo(service_id=mount.broker_id, network="unix", address=str(path))
        await self._broker.send_message(info)

    async def mount(self, config: Mapping[str, str] | None = None, *, standby: bool = False) -> Mount:
        """A mount that is ready to serve."""
        mount = self.new_mount()
        if standby:
            mount.side.replication_state = STANDBY
            mount.side.storage.read_only = True
        await self.announce(mount)
        setup = await mount.setup(config)
        assert not setup.err, setup.err
        initialized = await mount.initialize()
        assert not initialized.HasField("err"), initialized.err
        return mount

    def log(self) -> list[dict[str, Any]]:
        """The log objects so far; a line that is none fails."""
        return [json.loads(line) for line in self.logged]


@contextlib.contextmanager
def started(command: Sequence[str | Path], **environ: str | None) -> Iterator[WireHost]:
    """A host that is connected to its plugin."""
    with WireHost(command, environ) as host:
        assert host.line, "".join(host.logged)
        host.run(host.connect())
        yield host


def data_of(reply: pb.HandleRequestReply) -> Any:
    """The data of an answer; an error fails."""
    assert not reply.HasField("err"), reply.err
    return json.loads(reply.response.data)


async def eventually(look: Callable[[], Awaitable[object]]) -> None:
    """Await `look()` until it is true; `WireHost.run` bounds it."""
    while not await look():  # noqa: ASYNC110 - what is waited for happens in another process
        await asyncio.sleep(0.01)


def python(program: Path) -> list[str]:
    """The command that runs a program as a plugin's launcher would."""
    return [sys.executable, "-I", str(program)]
