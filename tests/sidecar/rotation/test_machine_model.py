"""The product's own table, explored through every order of calls, accidents and requests."""

import pytest
from rotation_explorer import ORGS, calm, explore, path
from rotation_world import Org, Rules

from vault_salesforce_sidecar.rotation.machine import (
    FREE,
    Entry,
    Event,
    Fate,
    Request,
    Secret,
    State,
    ask,
    step,
    withdrawn,
)


def name_of(org: Org) -> str:
    words = ["self" if org.self_managed else "admin", org.token, f"limit{org.limit}"]
    return "-".join(
        [
            *words,
            *(name for name in ("plugin", "app", "admin") if getattr(org, name)),
            *(() if org.history else ("again",)),
        ]
    )


# How many worlds there are to be seen in each org: another number is another table.
WORLDS = (14_874, 29_897, 45_034, 20_400, 14_804, 31_102, 41_300, 52_907, 19_417, 44_571)
WORLDS += (20_317, 24_490, 38_350, 76_998)


@pytest.mark.parametrize(("org", "worlds"), list(zip(ORGS, WORLDS, strict=True)), ids=list(map(name_of, ORGS)))
def test_no_order_of_two_faults_and_two_requests_breaks_a_promise(org, worlds):
    parents, found = explore(org)
    assert {promise: path(parents, w) for promise, w in found.items()} == {}
    assert len(parents) == worlds


@pytest.mark.parametrize("org", ORGS, ids=name_of)
def test_one_crash_or_lost_message_needs_no_operator_and_at_most_three_logins(org):
    ends, logins = calm(org)
    assert logins <= 3
    assert State.STUCK not in ends or org.limit == 3 or org.token == "surprise"


def fresh_candidate(e, event):
    e2 = step(e, event)
    again = e.state is State.CHECKING and e2.state is State.APPLYING and e.fate is Fate.UNKNOWN
    return e2._replace(candidate=Secret("9")) if again else e2


def refusal_withdraws(e, event):
    first = e.state is State.APPLYING and event is Event.REFUSED and e.fate is Fate.UNSENT
    return withdrawn(e, "refused") if first else step(e, event)


def record_proves(e, event):
    moved = e.state is State.CHECKING and event is Event.REFUSED and e.fate is Fate.UNKNOWN and e.marked
    return e._replace(state=State.PUBLISHING) if moved else step(e, event)


def nothing_kept(e, event):
    return step(e, event)._replace(kept=frozenset())


def old_token_stays(e, request, secret, kv):
    e2 = ask(e, request, secret, kv)
    return (
        e2._replace(candidate=Secret(secret.password, kv[0].token))
        if request is Request.ROTATE and e2 and secret
        else e2
    )


def delete_forgets(e, request, secret, kv):
    e2 = ask(e, request, secret, kv)
    return e2._replace(kept=frozenset()) if request is Request.DELETE and e2 else e2


def refusal_stays_certain(e, request, secret, kv):
    e2 = ask(e, request, secret, kv)
    return e2._replace(fate=e.fate) if request is Request.ROTATE and e2 and e.candidate else e2


def mends_like_any_other(e, request, secret, kv):
    e2 = ask(e, request, secret, kv)
    return e2._replace(mends=False) if e2 and request in (Request.SET, Request.RESET) else e2


def repair_forgets(e, request, secret, kv):
    e2 = ask(e, request, secret, kv)
    return e2._replace(kept=frozenset()) if e2 and request in (Request.SET, Request.RESET) else e2


SETTLED = Entry(State.SETTLED, Secret("O"), 0)
SELF = Org(self_managed=True, token="trusted", limit=3)
ADMIN = Org(self_managed=False, token="trusted", limit=5)
TOKEN = Org(self_managed=False, token="needed", limit=5)
MENDED = Org(self_managed=True, token="trusted", limit=5, admin=True)
PLUGIN = Org(self_managed=True, token="trusted", limit=5, plugin=True)
UNPOLICED = -99
REMOVED = {
    "one candidate per rotation": (ADMIN, Rules(step=fresh_candidate), 2, 2, "1"),
    "a refusal is checked before it withdraws": (ADMIN, Rules(step=refusal_withdraws), 2, 2, "1"),
    "a new round doubts earlier refusals": (TOKEN, Rules(ask=refusal_stays_certain), 2, 2, "1"),
    "the entry is closed by check-and-set": (ADMIN, Rules(close_by_cas=False), 1, 1, "1"),
    "the entry's numbers go on": (ADMIN, Rules(numbers_go_on=False), 1, 1, "1"),
    "earlier passwords are kept": (ADMIN._replace(history=False), Rules(step=nothing_kept), 2, 2, "1"),
    "a repair is never as if it had not begun": (MENDED, Rules(ask=mends_like_any_other), 2, 2, "1"),
    "a repair keeps what was there before": (MENDED, Rules(ask=repair_forgets), 2, 2, "1"),
    "deleting a role keeps its secrets": (ADMIN, Rules(ask=delete_forgets), 2, 2, "1"),
    "deleting a role moves its KV version on": (ADMIN, Rules(delete_moves_version=False), 2, 2, "2"),
    "only a login proves": (ADMIN, Rules(step=record_proves), 2, 2, "5"),
    "a token is published only if proven": (SELF, Rules(ask=old_token_stays), 2, 2, "2"),
    "publishing is check-and-set": (ADMIN, Rules(put_by_cas=False), 2, 2, "8"),
    "drift is measured from the last proof": (ADMIN, Rules(mark_twice=False), 2, 2, "5"),
    "there is an attempt budget": (SELF, Rules(reserve=UNPOLICED), 3, 0, "3"),
    "an attempt is charged before it is made": (SELF, Rules(charge_first=False), 3, 0, "3"),
    "one attempt is held in reserve": (SELF, Rules(reserve=0), 3, 0, "3"),
    "the plugin refuses an older version": (PLUGIN, Rules(plugin_refuses_older=False), 2, 2, "7"),
    "pushing goes on until equal": (PLUGIN, Rules(push_until_equal=False), 2, 2, "7"),
}  # fmt: skip


@pytest.mark.parametrize("rule", REMOVED)
def test_without_this_rule_a_promise_breaks(rule):
    org, rules, faults, asks, promise = REMOVED[rule]
    _, found = explore(org, rules, faults, asks, all_of_it=False)
    assert [name[0] for name in found] == [promise]


def test_a_rotation_in_hand_takes_no_request_but_delete():
    e = ask(SETTLED, Request.ROTATE, Secret("1"), (Secret("O"), 1))
    for request in Request:
        after = ask(e, request, Secret("2"), (Secret("O"), 1))
        assert (after is None) == (request is not Request.DELETE)


def test_every_state_in_hand_answers_every_event_but_no_state_at_rest_does():
    e = ask(SETTLED, Request.ROTATE, Secret("1"), (Secret("O"), 1))
    for state in set(State) - FREE - {State.AWAITING_TOKEN, State.STUCK, State.DELETED}:
        for event in Event:
            assert step(e._replace(state=state), event).state in State
    with pytest.raises(AssertionError):
        step(SETTLED, Event.DONE)
