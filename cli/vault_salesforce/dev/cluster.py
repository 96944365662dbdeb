"""The server's nodes: one, or several that elect the active one of them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from vault_salesforce.dev.host import Host, on_loopback
from vault_salesforce.dev.openbao import BAO, OpenBao, Shared
from vault_salesforce.dev.part import at_once, numbered
from vault_salesforce.dev.rest import Rest
from vault_salesforce.dev.waiting import until

_JOIN_SECONDS = 60.0
_ELECTION_SECONDS = 30.0
_AUTOPILOT = "v1/sys/storage/raft/autopilot/configuration"
_STATE = "v1/sys/storage/raft/autopilot/state"  # only the active node knows it


class Cluster:
    """Nodes with one storage, one plugin directory, one audit log.

    Args:
        own: Gives a new directory of this name.
        environment: See `OpenBao`.
        tell: See `Part`.
        binary: See `OpenBao`.
        count: How many nodes, from 1.
        further: More of each server's configuration.
        host: Gives where the node of this name runs.

    Attributes:
        nodes: All of them; the first one made the cluster.
    """

    def __init__(
        self,
        own: Callable[[str], Path],
        environment: Mapping[str, str],
        tell: Callable[[str], None],
        binary: Path | str = BAO,
        *,
        count: int = 1,
        further: str = "",
        host: Callable[[str], Host] = on_loopback,
    ) -> None:
        names = [numbered("vault", number) for number in range(1, count + 1)]
        directories = [own(name) for name in names]
        shared = Shared(directories[0], further)
        self.nodes = tuple(
            OpenBao(directory, environment, tell, binary, name=name, shared=shared, host=host(name))
            for name, directory in zip(names, directories, strict=True)
        )

    @property
    def addresses(self) -> list[str]:
        """Of all nodes."""
        return [node.address for node in self.nodes]

    def start(self) -> None:
        """Start the first node, and let the others begin to join it: see `wait`.

        Raises:
            PartFailed: A node did not come up.
            Refused, OSError: It was not set up.
        """
        first, *others = self.nodes
        first.start()
        if others:
            # Ten seconds otherwise, before a node that joined may vote.
            self.api(first).ask("POST", _AUTOPILOT, {"server_stabilization_time": "1s"})
        for node in others:
            node.join(first)

    def wait(self) -> None:
        """Wait until every node serves, votes and passes on: from then on any one may be lost. Raises: TimeoutError."""
        if len(self.nodes) > 1:
            until(self._complete, "a cluster in which every node serves, votes and passes on", _JOIN_SECONDS)

    def stop(self) -> None:
        """End all nodes."""
        at_once(node.stop for node in self.nodes)

    def active(self) -> OpenBao | None:
        """The active node; None while there is none."""
        return next((node for node in self.nodes if node.active()), None)

    def leader(self) -> OpenBao:
        """The active node, waited for through an election. Raises: TimeoutError."""
        return until(self.active, "an active node", _ELECTION_SECONDS)

    def standbys(self) -> list[OpenBao]:
        """The nodes that stand by now."""
        return [node for node in self.nodes if node.standby()]

    @staticmethod
    def api(node: OpenBao) -> Rest:
        """A node's API, for the root token."""
        return node.api(node.root_token)

    def _complete(self) -> bool:
        return all(node.serves() and self._knows_all(node) for node in self.nodes)

    def _knows_all(self, node: OpenBao) -> bool:
        """Whether the active node, asked through this one, counts every node among those that vote."""
        try:
            voters = self.api(node).send("GET", _STATE).data.get("voters")
        except OSError:
            return False
        return len(voters or ()) == len(self.nodes)
