"""The product on one machine: real servers with the engine mounted, sidecars, an org; and nothing left of it."""

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import click

from vault_salesforce.dev import setup
from vault_salesforce.dev.cluster import Cluster
from vault_salesforce.dev.host import Host, on_loopback
from vault_salesforce.dev.openbao import BAO
from vault_salesforce.dev.orgsim import OrgSim, User
from vault_salesforce.dev.part import Part, PartFailed, at_once, numbered
from vault_salesforce.dev.place import Place
from vault_salesforce.dev.rest import Refused
from vault_salesforce.dev.setup import Mounts
from vault_salesforce.dev.sidecar import Sidecar
from vault_salesforce_plugin import install

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


FAILURES = (PartFailed, Refused, OSError)  # of a stack that does not come up


class Stack:
    """Servers, sidecars and an org that know each other, with the connection `demo` and the role `crm`.

    Args:
        tell: Called with one sentence when a part died and is started again.
        binary: The server's program, see `OpenBao`.
        nodes: How many nodes the server has.
        sidecars: How many sidecars there are.
        further: More of each server's configuration.
        editable: The plugin may be edited and reloaded: its launcher does not check what it loads.
        sidecar_environment: More of each sidecar's environment, settings among it.
        host: Gives where the node or sidecar of this name runs; the org is always on loopback.

    Attributes:
        cluster: The server; `vault` is its first node.
        sidecars: All sidecars; `sidecar` is the first.
        orgsim: The org.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        binary: Path | str = BAO,
        *,
        nodes: int = 1,
        sidecars: int = 1,
        further: str = "",
        editable: bool = False,
        sidecar_environment: Mapping[str, str] | None = None,
        host: Callable[[str], Host] = on_loopback,
    ) -> None:
        self.mounts = Mounts()
        self._editable = editable
        self._place = Place()
        self.directory = self._place.path
        environment = self._environment()
        self.cluster = Cluster(self._own, environment, tell, binary, count=nodes, further=further, host=host)
        self.vault = self.cluster.nodes[0]
        self.orgsim = OrgSim(self._own("orgsim"), environment, tell, self._as_vault_knows_it)
        self.sidecars = tuple(
            Sidecar(self._own(name), environment | dict(sidecar_environment or {}), tell, number, host(name))
            for number, name in ((number, numbered("sidecar", number)) for number in range(1, sidecars + 1))
        )
        self.sidecar = self.sidecars[0]

    def start(self) -> None:
        """Start everything, and return when `crm` can be read and any node may be lost.

        Raises:
            PartFailed: A part did not come up.
            Refused, OSError, TimeoutError: The set-up was not done.
        """
        user = setup.crm_user()
        self.orgsim.start([user])
        self.cluster.start()
        vault = self.vault.api(self.vault.root_token)
        setup.mount_kv(vault, self.mounts)
        setup.mount_engine(vault, self.mounts, install.install(self.vault.plugins, checked=not self._editable))
        login = setup.sidecar_login(vault, self.mounts)
        for sidecar in self.sidecars:
            sidecar.start(self.cluster.addresses, self.mounts, login, self.orgsim.mail)
        setup.make_crm(vault, self.mounts, self.orgsim, user)
        self.cluster.wait()

    def stop(self) -> None:
        """End everything and remove the directory. Twice does no harm."""
        with contextlib.ExitStack() as last_first:
            last_first.callback(self._place.remove)
            last_first.callback(self.orgsim.stop)
            last_first.callback(self.cluster.stop)
            last_first.callback(at_once, [sidecar.stop for sidecar in self.sidecars])

    def parts(self) -> list[Part]:
        """Every part."""
        servers, sidecars = (node.part for node in self.cluster.nodes), (sidecar.part for sidecar in self.sidecars)
        return [*servers, *sidecars, self.orgsim.part]

    def addresses(self) -> dict[str, Any]:
        """What others need to drive the stack, the members of `dev --json`; several nodes or sidecars are listed."""
        said: dict[str, Any] = {
            "vault_addr": self.vault.address,
            "root_token": self.vault.root_token,
            "mount": self.mounts.engine,
            "kv_mount": self.mounts.kv,
            "engine_kv_mount": self.mounts.engine_kv,
            "sidecar_url": self.sidecar.url,
            "orgsim_url": self.orgsim.url,
            "orgsim_control_url": self.orgsim.control_url,
            "pids": {
                "vault": self.vault.part.pid,
                "sidecar": self.sidecar.part.pid,
                "orgsim": self.orgsim.part.pid,
            },
        }
        if len(self.cluster.nodes) > 1:
            said["nodes"] = [{"address": node.address, "pid": node.part.pid} for node in self.cluster.nodes]
        if len(self.sidecars) > 1:
            said["sidecars"] = [{"url": sidecar.url, "pid": sidecar.part.pid} for sidecar in self.sidecars]
        return said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _own(self, name: str) -> Path:
        directory = self.directory / name
        directory.mkdir()
        return directory

    def _environment(self) -> dict[str, str]:
        """Nothing of ours: no proxies, no tokens, no PYTHON*; a home and a place for sockets that go with the stack."""
        home, temporary = self._own("home"), self._own("t")
        return {"PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(temporary), "LANG": "C.UTF-8"}

    def _as_vault_knows_it(self) -> list[User]:
        """The users of an org that was killed: it forgets everything, and Vault has what was live."""
        vault, kv = self.cluster.api(self.cluster.leader()), self.mounts.kv
        names = vault.ask("LIST", f"v1/{kv}/metadata/creds").data["keys"]
        held = (vault.ask("GET", f"v1/{kv}/data/creds/{name}").data["data"] for name in names)
        return [
            User(secret["username"], secret["password"], secret["security_token"])
            for secret in held
            if secret and secret.get("username")
        ]


@contextlib.contextmanager
def leaving_on_signals(*, meant: bool) -> Iterator[None]:
    """Turn the first signal to end into `SystemExit`, so that every `with` inside is left in order.

    Args:
        meant: Being ended is how this program ends: exit with 0, else with the shell's code for the signal.
    """

    def leave(number: int, _: object) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        sys.exit(0 if meant else 128 + number)

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def keep(*, as_json: bool, nodes: int = 1, sidecars: int = 1) -> None:
    """Run the stack until a signal ends it.

    Args:
        as_json: Print one line of JSON with its addresses on stdout; else a few lines for people.
        nodes: See `Stack`.
        sidecars: See `Stack`.
    """

    def tell(sentence: str) -> None:
        click.echo(sentence, err=True)

    with leaving_on_signals(meant=True), Stack(tell, nodes=nodes, sidecars=sidecars, editable=True) as stack:
        try:
            stack.start()
        except FAILURES as exc:
            raise click.ClickException(f"the stack did not come up: {exc}") from exc
        if as_json:
            click.echo(json.dumps(stack.addresses()))
        else:
            click.echo(f"export BAO_ADDR={stack.vault.address} BAO_TOKEN={stack.vault.root_token}")
        sys.stdout.flush()
        threading.Event().wait()
