"""Trials on a running stack of three nodes and two sidecars: what a plan says is done, mended, and looked at."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from faults.cluster.hosts import Hosts
from faults.cluster.plan import ROLES, Trial
from faults.cluster.seeing import Begun, changes_of, more_broken, see
from faults.harness.checks import Broken, broken
from product import Account, Hook, Product

from vault_salesforce.dev.openbao import OpenBao
from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

if TYPE_CHECKING:
    from concurrent.futures import Future

    from vault_salesforce.dev.rest import Answer

_MOMENT_SECONDS: Final = 12.0
_ANSWER_SECONDS: Final = 45.0
_REST_SECONDS: Final = 150.0


class Trials:
    """Carries out trials one after the other.

    Args:
        stack: Three nodes, two sidecars.
        hosts: Of the nodes; None where they are on loopback and cannot be parted.

    Attributes:
        changed: How many passwords were changed so far.
    """

    def __init__(self, stack: Stack, hosts: Hosts | None) -> None:
        self._stack, self._cluster, self._hosts = stack, stack.cluster, hosts
        self._hook = Hook()
        stack.cluster.wait()
        self._product = Product(stack)
        first = self._product.through(stack.cluster.leader())
        makes = (first.account_with_token, first.account)
        self._accounts = [makes[number >= ROLES // 2]() for number in range(ROLES)]
        self.changed = 0

    def close(self) -> None:
        """End what was started here."""
        self._product.close()
        self._hook.close()

    def carry_out(self, trial: Trial) -> list[Broken]:
        """One trial. Returns: Each promise that was not kept. Raises: TimeoutError."""
        self._cluster.wait()
        leader = self._cluster.leader()
        standbys = [node for node in self._cluster.nodes if node is not leader]
        product = self._product.through(leader)
        accounts = [self._accounts[number] for number in trial.roles]
        injected = threading.Event()

        def inject() -> None:
            self._inject(trial, leader, standbys)
            injected.set()

        if trial.moment:
            self._hook.act = lambda _: inject()
            product.misbehave(accounts[0], **{trial.moment: {"url": self._hook.url, "times": 1}})
        nodes = [leader if door == "leader" else standbys[trial.standby] for door in trial.doors]
        begun = [self._begin(product, account, node, trial.wait) for account, node in zip(accounts, nodes, strict=True)]
        if not injected.wait(_MOMENT_SECONDS if trial.moment else trial.after_seconds):
            inject()  # no change came: whatever else was under way meets it
        threading.Event().wait(trial.lasts_seconds)
        self._mend(leader)
        return list(self._look(begun))

    def _begin(self, product: Product, account: Account, node: OpenBao, wait: int) -> Begun:
        before, version = product.counted(account), int(product.kv(account)["version"])
        return Begun(account, before, version, product.through(node).rotate_meanwhile(account, wait=wait))

    def _inject(self, trial: Trial, leader: OpenBao, standbys: Sequence[OpenBao]) -> None:
        names = [node.part.name for node in standbys]
        standby, hosts = standbys[trial.standby], self._hosts
        deeds: dict[str, Callable[[], object]] = {
            "the leader is killed": lambda: leader.part.signal(signal.SIGKILL),
            "the leader steps down": lambda: threading.Thread(
                target=_quietly, args=(lambda: leader.api(leader.root_token).send("PUT", "v1/sys/step-down"),)
            ).start(),
            "a standby is killed": lambda: standby.part.signal(signal.SIGKILL),
            "the leader sleeps": lambda: leader.part.signal(signal.SIGSTOP),
        }
        if hosts:
            deeds |= {
                "the leader is isolated": lambda: hosts.isolate(leader.part.name),
                "the leader is parted from the nodes": lambda: hosts.part(leader.part.name, names),
                "the nodes never hear the leader": lambda: hosts.part(leader.part.name, names, one_way=True),
                "a standby is isolated": lambda: hosts.isolate(standby.part.name),
                "the standbys are parted": lambda: hosts.part(names[0], names[1:]),
            }
        deeds[trial.fault]()

    def _mend(self, leader: OpenBao) -> None:
        leader.part.signal(signal.SIGCONT)
        if self._hosts:
            self._hosts.mend()
        self._product.org.ask("DELETE", "misbehave")

    def _look(self, begun: Sequence[Begun]) -> Iterator[Broken]:
        answers = [_outcome(one.asked) for one in begun]
        self._cluster.wait()
        product = self._product.through(self._cluster.leader())
        for one, answer in zip(begun, answers, strict=True):
            said = answer if isinstance(answer, str) else f"{answer.status} {dict(answer.body)!s:.300}"
            with contextlib.suppress(TimeoutError):  # then the checks say how it rests
                until(lambda one=one: _state(product, one.account) == "ok", "rest", _REST_SECONDS)
            seen = see(product, one, answer)
            self.changed += changes_of(seen)
            for promise in (*broken(seen), *more_broken(seen, one)):
                yield replace(promise, seen=f"{one.account.role}: {promise.seen}; the answer was {said}")


def _quietly(deed: Callable[[], object]) -> None:
    with contextlib.suppress(OSError):
        deed()


def _outcome(asked: "Future[Answer]") -> "Answer | str":
    try:
        return asked.result(_ANSWER_SECONDS)
    except OSError as broken:
        return f"no answer ({broken})"


def _state(product: Product, account: Account) -> str:
    try:
        return str(product.vault.send("GET", f"v1/sf/status/{account.role}").data.get("state", ""))
    except OSError:
        return ""
