"""Carries out one round of a plan on a stage: faults, rotations, healing, checks, and mending what is left."""

import contextlib
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from faults.harness.calls import username
from faults.harness.checks import LOCKOUT, OTHER, Broken, broken
from faults.harness.injectors import injector, seconds_of, serve_again
from faults.harness.observing import Noted, Observer
from faults.harness.operating import PASSWORD, TOKEN, Operator
from faults.harness.plan import RESTORES, RolePlan, Round, When, WorldFault
from faults.harness.script import Aim, Moment
from faults.harness.stage import UNKNOWN, Role, Stage, password
from faults.harness.tally import Tally

MOMENT_SECONDS: Final = 3.0  # for a moment that may never come; then it happens anyway
ASKING_SECONDS: Final = 180.0  # each asker ends by itself; some hundred of them take turns
GRACE_SECONDS: Final = 1.5


class Rounds:
    """Rounds on one stage.

    Args:
        stage: Where.
        tally: Counts.
        replay: The command that replays the stint, for failures.
        say: Called with a line for whoever watches.
    """

    def __init__(self, stage: Stage, tally: Tally, replay: str, say: Callable[[str], None]) -> None:
        self._stage, self._tally, self._replay, self._say = stage, tally, replay, say
        self._observer = Observer(stage)
        self._operator = Operator(stage, self._told)
        self._noted: dict[str, Noted] = {}
        self._struck: dict[str, list[str]] = {}
        # Up to which version of each role all were looked at, when the last snapshot was taken, and the one before.
        self._saved: tuple[dict[str, int], dict[str, int]] = {}, {}
        self._never = threading.Event()

    def play(self, plan: Round) -> None:
        """One round, from its plan to a stage on which all is well again."""
        began = time.monotonic()
        stage = self._stage
        roles = {each.number: stage.roles[each.number] for each in plan.roles}
        counted = self._observer.counted()
        versions = {name: int(seen.get("version") or 0) for name, seen in self._observer.states().items()}
        self._noted = {role.name: Noted(counted[role.name], versions.get(role.name, 0)) for role in roles.values()}
        for each in plan.roles:
            self._noted[roles[each.number].name].accidents = len(plan.world) + len(each.faults)
        for role in roles.values():
            role.unproven.clear()
            if role.loose_at == UNKNOWN:
                role.loose_at = self._noted[role.name].version
            if role.queued:
                self._noted[role.name].acknowledged.append(role.queued)
                self._noted[role.name].goes += _goes(role)
                role.queued = ""
        if stage.shape.snapshots:
            stage.save()
            self._saved = {role.name: role.checked_version for role in roles.values()}, self._saved[0]
        self._struck = {role.name: [] for role in roles.values()}
        moments = self._moments(plan, roles)
        deeds = {
            Aim(roles[each.number].name, fault.call, fault.nth): fault.deed
            for each in plan.roles
            for fault in each.faults
        }
        stage.script.begin(deeds, dict(moments.values()))
        asking = [stage.threads.submit(self._begin, each, roles[each.number]) for each in plan.roles]
        acting = [threading.Thread(target=self._act, args=(fault, moments[fault][1])) for fault in plan.world]
        acting += [
            threading.Thread(target=self._person, args=(each, roles[each.number], moments[each][1]))
            for each in plan.roles
            if each.person
        ]
        for each in acting:
            each.start()
        for each in acting:
            each.join()
        self._wait(asking)
        self._never.wait(GRACE_SECONDS)
        stage.script.heal()
        serve_again(stage)
        if any(fault.name in RESTORES for fault in plan.world):
            self._went_back(plan, roles.values())
        self._look(plan, roles, began)

    def _went_back(self, plan: Round, roles: Iterable[Role]) -> None:
        """What was so in Vault before this round, or the last one, is so again: of what came later nothing is owed."""
        memory = not any(fault.name == "restored and kill sidecar" for fault in plan.world)
        for role in roles:
            noted = self._noted[role.name]
            noted.restored, noted.ends = True, False
            noted.human |= not memory  # nobody knows what was changed: as if a person had
            noted.goes += _goes(role)
            role.checked_version = min(each.get(role.name, role.checked_version) for each in self._saved)
            role.loose_at, role.queued = UNKNOWN, ""

    def _moments(self, plan: Round, roles: Mapping[int, Role]) -> dict[Any, tuple[Aim, Moment]]:
        def moment(when: When) -> tuple[Aim, Moment]:
            return Aim(roles[when.role].name, when.call, when.nth), Moment(when.after)

        made: dict[Any, tuple[Aim, Moment]] = {fault: moment(fault.when) for fault in plan.world}
        return made | {each: moment(each.person_when) for each in plan.roles if each.person_when}

    def _begin(self, plan: RolePlan, role: Role) -> None:
        noted = self._noted[role.name]
        if plan.cause == "lease end":
            self._end_a_lease(role, noted)
            return
        noted.goes += _goes(role)
        self._ask(role, noted, {"wait": plan.wait})
        if plan.cause == "force":
            noted.goes += _goes(role)
            self._ask(role, noted, {"wait": plan.wait, "force": True})

    def _ask(self, role: Role, noted: Noted, fields: Mapping[str, Any]) -> None:
        try:
            answer = self._operator.rotate(role, **fields)
        except OSError:
            noted.answered = True  # who knows
            return
        if answer.data.get("done"):
            noted.done.append(int(answer.data["version"]))
        if (answer.status >= 500 or answer.status == 429) and answer.body.get("code"):
            noted.refused.append(f"{answer.status} {answer.body['code']}")
        else:
            noted.answered = True

    def _end_a_lease(self, role: Role, noted: Noted) -> None:
        """Borrow the credential and give it back: it is due, unless an earlier borrower never did."""
        vault, alone = self._stage.vault, role.loose_at != noted.version
        role.loose_at = noted.version
        with contextlib.suppress(OSError):
            lease = vault.send("GET", f"v1/sf/creds/{role.name}").body.get("lease_id")
            if lease:
                noted.goes += _goes(role)  # also where nobody hears that it ended
                if vault.send("PUT", "v1/sys/leases/revoke", {"lease_id": lease, "sync": True}).status < 300:
                    noted.ends = alone
                    role.loose_at = -1 if alone else role.loose_at

    def _act(self, fault: WorldFault, moment: Moment) -> None:
        """Something happens to everything, at its moment, and is over after its time."""
        happens = injector(fault.name, self._stage)
        moment.come.wait(MOMENT_SECONDS)
        for role in self._stage.roles:
            if role.name in self._struck and self._stage.script.in_flight(role.name):
                self._struck[role.name].append(fault.name)
        try:
            happens.strike()
            moment.acted.set()
            self._never.wait(seconds_of(fault.name, fault.seconds))
        finally:
            moment.acted.set()
            happens.heal()

    def _person(self, plan: RolePlan, role: Role, moment: Moment) -> None:
        """Somebody does something to one user, at a moment of that user's rotation."""
        stage, noted = self._stage, self._noted[role.name]
        if plan.person == "stale consumer":
            consumer = {"rate_per_second": 5, "start": "next_change", "max_seconds": 20}
            stage.org.ask("PATCH", f"users/{role.username}", {"stale_consumer": consumer})
            moment.acted.set()
            self._struck[role.name].append(plan.person)
            return
        moment.come.wait(MOMENT_SECONDS)
        try:
            if stage.script.in_flight(role.name):
                self._struck[role.name].append(plan.person)
            # A mail that somebody brought about is a token handed in.
            noted.goes += role.kind == "token"
            if plan.person == "human resets the token":
                role.known_password, role.told_nobody = "", [TOKEN, PASSWORD]
                stage.org.ask("POST", f"users/{role.username}/reset-security-token")
                return
            role.known_password, role.told_nobody = password(), [PASSWORD]
            noted.human = True
            stage.org.ask("PATCH", f"users/{role.username}", {"password": role.known_password})
        finally:
            moment.acted.set()

    def _wait(self, asking: list[Future[None]]) -> None:
        end = time.monotonic() + ASKING_SECONDS
        for each in asking:
            each.result(max(1.0, end - time.monotonic()))

    def _look(self, plan: Round, roles: Mapping[int, Role], began: float) -> None:
        """Wait for rest, hold every promise against what is seen, and make all well again."""
        left = self._observer.wait_for_rest(self._noted)
        if not any(noted.restored for noted in self._noted.values()):
            self._release()  # else whoever follows next steps does
        after = self._observer.counted()
        script = self._stage.script
        seen = dict(
            zip(
                roles,
                self._stage.threads.map(
                    lambda role: self._observer.see(
                        role, self._noted[role.name], after[role.name], script.copies[role.name]
                    ),
                    roles.values(),
                ),
                strict=True,
            )
        )
        self._tally.rounds += 1
        for each in plan.roles:
            role, found = roles[each.number], broken(seen[each.number])
            if role.name in left:
                found.append(Broken(OTHER, "that it comes to rest, and a lease's end rotates", seen[each.number].state))
            self._tally.ends[seen[each.number].state] += 1
            bit = [*script.fired[role.name], *self._struck[role.name]]
            changed = after[role.name]["password_changes"] > self._noted[role.name].before["password_changes"]
            if bit and (script.changes[role.name] or changed):
                self._tally.rotations += 1
                self._tally.faults.update(set(map(_without_number, bit)))
            for promise in found:
                self._fail(plan, each, role, promise, bit)
        self._administrator(plan, after)
        list(self._stage.threads.map(lambda each: self._mend(plan, each, roles[each.number], seen), plan.roles))
        names = ", ".join(fault.name for fault in plan.world) or "single calls"
        took = time.monotonic() - began
        self._say(f"  round {plan.number}: {names}; {took:.0f} s, {self._tally.rotations} so far")

    def _mend(self, plan: Round, each: RolePlan, role: Role, seen: Mapping[int, Any]) -> None:
        noted = self._noted[role.name]
        if seen[each.number].state == "ok" and not seen[each.number].live:
            # Nobody could see what a person did; the next rotation does.
            self._operator.rotate(role)
            if self._operator.rests(role)["state"] == "ok" and not self._observer.is_live(role):
                self._fail(plan, each, role, Broken(OTHER, "a rotation that sees the foreign password", "ok"), [])
        elif seen[each.number].state == "ok":
            return
        steps, why = self._operator.mend(role)
        if not why and noted.human and not self._observer.until_live(role):
            self._operator.rotate(role)  # a brake stood against the one that was to see the foreign password
            more, why = self._operator.mend(role)
            steps += more
        self._tally.steps += steps
        noted.goes += steps
        if not why and not self._observer.until_live(role):
            why = "the status is ok, and KV's password is not live"
        if why:
            self._fail(plan, each, role, Broken(OTHER, "next steps that lead to a live password in KV", why), [])
            self._stage.roles[each.number] = self._stage.make_role(each.number)

    def _administrator(self, plan: Round, after: Mapping[str, Mapping[str, int]]) -> None:
        if after[self._stage.admin]["lockouts"]:
            self._fail(plan, None, None, Broken(LOCKOUT, "the administrator not locked", "locked"), [])
            self._stage.org.ask("PATCH", f"users/{username(self._stage.admin)}", {"locked": False})

    def _release(self) -> None:
        """End brakes that the engine pulled: their cause is mended."""
        vault = self._stage.vault
        for name in vault.send("LIST", "v1/sf/hold").data.get("keys") or ():
            self._tally.holds += 1
            vault.send("DELETE", f"v1/sf/hold/{name}")

    def _told(self, role: Role, rotation_id: str) -> None:
        self._noted[role.name].acknowledged.append(rotation_id)

    def _fail(self, plan: Round, each: RolePlan | None, role: Role | None, promise: Broken, bit: list[str]) -> None:
        self._tally.broken[promise.kind] += 1
        whose = f"role {each.number} ({each.kind}, by {each.cause}), {role.name}" if each and role else "all"
        world = ", ".join(fault.name for fault in plan.world)
        person = f"; {each.person}" if each and each.person else ""
        text = (
            f"round {plan.number}, {whose}: {promise.kind}: expected {promise.expected}; seen: {promise.seen}. "
            f"Faults: {world or 'none to all'}; of this role: {', '.join(bit) or 'none'}{person}. "
            f"Replay: {self._replay}"
        )
        self._tally.failures.append(text)
        self._say(f"  NOT KEPT: {text}")


def _goes(role: Role) -> int:
    """A rotation, and the token that is mailed after its change: a credential that nobody has tried before."""
    return 2 if role.kind == "token" else 1


def _without_number(fault: str) -> str:
    call, colon, deed = fault.partition(": ")
    head, _, number = call.rpartition(" ")
    return f"{head}{colon}{deed}" if colon and number.isdigit() else fault
