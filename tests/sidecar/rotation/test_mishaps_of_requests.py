"""Each call behind a request that is no rotation fails in turn, or is the last; who asks again comes to the end."""

from contextlib import nullcontext
from dataclasses import dataclass
from itertools import product
from types import SimpleNamespace
from typing import Any

import pytest
from fakes import CALLER, CRM, Killed
from mishaps import MISHAPS, MOST_LOGINS, REFUSED, Late, Stale, come_to_rest, run_out
from stage import Stage

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_sidecar.claims import ACCOUNT, Claims
from vault_salesforce_sidecar.paths import static_roles
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

SET_BY_HAND = "Set-by-hand-2"
MOST_TIMES = 4  # that somebody asks


def engine(stage, rotations):
    """As much of an engine as the path of roles asks for."""
    return SimpleNamespace(
        roles=stage.roles,
        connections=stage.connections,
        claims=Claims(stage.engine_kv, stage.clock, lambda *_: stage.roles.get("crm") is not None),
        rotations=rotations,
        handed_in=HandedIn(rotations),
        place=lambda *_: nullcontext(),
    )


def well(stage, rotations):
    """What is so of every role that is well."""
    return {
        "live": stage.is_live,
        "at rest": rotations.status("crm").state == "ok",
        "the mount's copy": stage.pushed["crm"].version == stage.published["version"],
    }


@dataclass
class Creating:
    """A role is made of a user and its password."""

    stage: Stage

    def ask(self, rotations: Any) -> None:
        given = {"config": "demo", "username": CRM, "rotation_period": 3600, "password": SecretStr("Old-password-1")}
        static_roles.write(engine(self.stage, rotations), CALLER, "crm", **given)

    def kept(self, rotations: Any) -> dict[str, bool]:
        stage = self.stage
        return well(stage, rotations) | {
            "the role": stage.roles.get("crm") is not None,
            "nobody else's user": refused(lambda: engine(stage, rotations).claims.take(ACCOUNT, CRM, "another")),
        }


@dataclass
class Deleting:
    """A role is deleted: its user's password is kept, and nobody is served any more."""

    stage: Stage

    def ask(self, rotations: Any) -> None:
        static_roles.delete(engine(self.stage, rotations), CALLER, "crm")

    def kept(self, rotations: Any) -> dict[str, bool]:
        stage = self.stage
        kept = [one["password"] for one in stage.entry["kept"]]
        return {
            "deleted": (stage.entry["state"], stage.published) == ("deleted", {}),
            "the live password is kept": stage.person.password in kept,
            "no role": stage.roles.get("crm") is None and rotations.statuses() == {},
            "the mount's copy": stage.pushed["crm"].deleted,
        }


@dataclass
class HandingIn:
    """A password that somebody set in Salesforce is handed in."""

    stage: Stage

    def ask(self, rotations: Any) -> None:
        password = SecretStr(SET_BY_HAND)
        HandedIn(rotations).resync("crm", CALLER, password=password, security_token=None, try_=None, wait=10)

    def kept(self, rotations: Any) -> dict[str, bool]:
        handed_in = self.stage.published["password"] == SET_BY_HAND
        return well(self.stage, rotations) | {"what was handed in": handed_in}


@dataclass
class Telling:
    """A security token that somebody reset is handed in."""

    stage: Stage

    def ask(self, rotations: Any) -> None:
        HandedIn(rotations).security_token("crm", SecretStr(self.stage.person.token), CALLER, wait=10)

    def kept(self, rotations: Any) -> dict[str, bool]:
        return well(self.stage, rotations)


@dataclass
class Unlocking:
    """The identity clears Salesforce's lock."""

    stage: Stage

    def ask(self, rotations: Any) -> None:
        rotations.unlock("crm", CALLER)

    def kept(self, rotations: Any) -> dict[str, bool]:
        stage = self.stage
        return {
            "not locked": not stage.person.locked,
            "no charges": stage.entry["charges"] == 0,
            "live": stage.is_live,
            "in the history": any(one.cause == "unlock" for one in rotations.history("crm")),
        }


def prepared(request):
    """A stage on which the request is to be made, and a sidecar."""
    stage = Stage(
        admin=request is Unlocking,
        untrusted=request is Telling,
        token_from="manual" if request is Telling else "none",
    )
    rotations = stage.sidecar() if request is Creating else stage.enrolled()
    if request is HandingIn:
        stage.org.change_by_hand(CRM, SET_BY_HAND)
    if request is Telling:
        stage.org.reset_token(CRM)
    if request is Unlocking:
        stage.person.fails = stage.person.limit
    stage.accidents.calls = stage.person.logins = 0
    stage.accidents.names.clear()
    return stage, rotations


def refused(ask):
    """Whether somebody is."""
    try:
        ask()
    except EngineError:
        return True
    return False


def calls(request):
    stage, rotations = prepared(request)
    request(stage).ask(rotations)
    return list(stage.accidents.names)


def survive(request, number, what):
    """The request, asked again where it was refused or came to no answer; the promises that were not kept."""
    stage, rotations = prepared(request)
    others = {"late": Late(), "stale": Stale(stage.engine_kv, stage.creds_kv)}
    asked, strike = request(stage), (MISHAPS | others).get(what)
    if what.startswith("killed"):
        stage.accidents.kill_at, stage.accidents.after = number, what == "killed after"
    else:
        stage.accidents.strike_at, stage.accidents.strike = number, strike
    for _ in range(MOST_TIMES):
        try:
            asked.ask(rotations)
            break
        except Killed:
            rotations = stage.sidecar()
        except REFUSED:
            pass
        come_to_rest(stage, rotations, strike)
    run_out(stage, rotations)
    name = stage.accidents.names[number - 1]
    copies = name == "org: log_in" and what.startswith("twice")
    promises = asked.kept(rotations) | {
        "nobody locked": not stage.person.lockouts,
        "few logins": stage.person.logins - copies <= MOST_LOGINS,
    }
    return [f"{name} ({number}): {promise}" for promise, holds in promises.items() if not holds]


HAPPENS = ("killed before", "killed after", *MISHAPS, "late")
# Of a role that was made or deleted a moment ago a standby may not know; what a process wrote itself it reads again.
REPAIRS = [(one, "stale") for one in (HandingIn, Telling, Unlocking)]


@pytest.mark.parametrize(
    ("request_", "what"), [*product((Creating, Deleting, HandingIn, Telling, Unlocking), HAPPENS), *REPAIRS]
)
def test_whatever_becomes_of_any_one_call_whoever_asks_again_comes_to_the_end(request_, what):
    names = calls(request_)
    assert {name.partition(":")[0] for name in names} >= {"engine"}
    assert [fault for number in range(1, len(names) + 1) for fault in survive(request_, number, what)] == []
