"""Trials on a running stack of three nodes and two sidecars: what a plan says is done, mended, and looked at."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from faults.cluster.hosts import Hosts
from faults.cluster.plan import ROLES, Trial
from product import Account, Hook, Product

from vault_salesforce.dev.openbao import OpenBao
from vault_salesforce.dev.rest import Answer
from vault_salesforce.dev.stack import Stack
from vault_salesforce.dev.waiting import until

if TYPE_CHECKING:
    from concurrent.futures import Future

LOST, LOCKOUT, UNPROVEN, OTHER = "lost", "lockouts", "unproven", "other"
MOST_LOGINS: Final = 3
_MOMENT_SECONDS: Final = 12.0
_ANSWER_SECONDS: Final = 45.0
_REST_SECONDS: Final = 150.0
_SOON_SECONDS: Final = 75.0  # chores that could not be done are left alone for up to a minute


@dataclass(frozen=True)
class Begun:
    """A role's rotation, asked for in a trial.

    Attributes:
        account: Of the role.
        before: What the org had counted of the user.
        version: KV's version before.
        asked: The answer to come, or the connection's end.
    """

    account: Account
    before: dict[str, int]
    version: int
    asked: "Future[Answer]"


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

    def carry_out(self, trial: Trial) -> list[tuple[str, str]]:
        """One trial. Returns: Each promise that was not kept, as its kind and what was seen. Raises: TimeoutError."""
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

    def _look(self, begun: Sequence[Begun]) -> Iterator[tuple[str, str]]:
        answers = [_outcome(one.asked) for one in begun]
        self._cluster.wait()
        product = self._product.through(self._cluster.leader())
        for one, answer in zip(begun, answers, strict=True):
            said = answer if isinstance(answer, str) else f"{answer.status} {dict(answer.body)!s:.300}"
            try:
                until(lambda one=one: _state(product, one.account) == "ok", "rest", _REST_SECONDS)
            except TimeoutError:
                status = product.status(one.account)
                yield OTHER, f"it rests as {status['state']}: {status['reason']}; {status['next_step']}"
            for kind, seen in self._broken(product, one, answer):
                yield kind, f"{one.account.role}: {seen}; the answer was {said}"

    def _broken(self, product: Product, one: Begun, answer: "Answer | str") -> Iterator[tuple[str, str]]:
        account = one.account
        after, held = product.counted(account), product.kv(account)
        more = {name: after[name] - one.before[name] for name in ("logins", "lockouts", "password_changes")}
        changes = more["password_changes"]
        self.changed += changes
        news = range(one.version + 1, held["version"] + 1)
        if not product.is_live(account):
            yield LOST, "what KV holds is not live"
        if more["lockouts"]:
            yield LOCKOUT, f"{more['lockouts']} lockouts"
        if unproven := [number for number in news if not _proven(product, account, number)]:
            yield UNPROVEN, f"versions {unproven} never logged in"
        if more["logins"] > MOST_LOGINS:
            yield OTHER, f"{more['logins']} logins"
        if changes > 1 or len(news) != changes:
            yield OTHER, f"{changes} changes, and {len(news)} new versions"
        if not isinstance(answer, str):
            yield from _untrue(product, account, answer, changes)
        if not _soon(lambda: product.static_creds(account)["password"] == held["password"]):
            yield OTHER, "the plugin does not serve what KV holds"


def _untrue(product: Product, account: Account, answer: Answer, changes: int) -> Iterator[tuple[str, str]]:
    """What an answer promised, and was not so."""
    rotation_id = answer.data.get("rotation_id")
    if rotation_id and changes != 1:
        yield OTHER, f"{changes} changes of a rotation that was acknowledged"
    if rotation_id and not _soon(lambda: rotation_id in _history(product, account)):
        yield OTHER, "the history does not know a rotation that was acknowledged"
    if answer.body.get("code") and answer.status >= HTTPStatus.TOO_MANY_REQUESTS and changes:
        yield OTHER, "it was begun, though the answer promised that it was not"


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


def _proven(product: Product, account: Account, version: int) -> bool:
    data = product.vault.ask("GET", f"v1/salesforce/data/creds/{account.role}?version={version}").data["data"]
    sent = {name: data[name] for name in ("password", "security_token")}
    return bool(product.org.ask("POST", f"users/{account.username}/check", sent).body["proven"])


def _history(product: Product, account: Account) -> set[Any]:
    rotations = product.vault.ask("GET", f"v1/sf/history/{account.role}").data["rotations"]
    return {one.get("rotation_id") for one in rotations}


def _soon(holds: Callable[[], bool]) -> bool:
    with contextlib.suppress(TimeoutError):
        return bool(until(holds, "a chore", _SOON_SECONDS))
    return False
