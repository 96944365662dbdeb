"""Long lives of an entry, by chance: what the exploration shows for two accidents holds after any number of them."""

from hypothesis import given, settings
from hypothesis import strategies as st

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.machine import (
    MAX_TRIES,
    REST,
    Entry,
    Event,
    Fate,
    Request,
    Secret,
    State,
    ask,
    command,
    step,
)

STEPS = st.lists(st.tuples(st.sampled_from(Event), st.sampled_from(Request)), min_size=10, max_size=80)


def possible(entry, event):
    """Whether the call of this state can end so: the runner knows no other event of it."""
    if entry.state is State.PUBLISHING:
        return event in (Event.DONE, Event.REFUSED, Event.LOST, Event.RESUMED)
    if entry.state is State.APPLYING:
        return event is not Event.TOKEN_NEEDED
    return event is not Event.OLD_REFUSED


def held(entry):
    """Every password that the entry would still find."""
    known = {one.password for one in (entry.current, entry.candidate, entry.given) if one is not None}
    return known | entry.kept


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_whatever_happens_in_whatever_order_no_password_that_may_be_live_is_forgotten(steps):
    entry = Entry(State.SETTLED, Secret(SecretStr("published")), 1)
    kv, maybe_live = (entry.current, 1), set()
    for number, (event, request) in enumerate(steps):
        before = entry
        if entry.state in REST:
            secret = Secret(SecretStr(f"new-{number}"), SecretStr(f"token-{number}"))
            entry = ask(entry, request, secret, kv) or entry
            assert entry.state is not State.APPLYING  # first it is looked whether `current` is live
        elif possible(entry, event):
            entry = step(entry, event)
            if entry.candidate == before.candidate and entry.state not in REST:
                assert entry.fate >= before.fate
            if before.state is State.PUBLISHING and event is Event.DONE:
                kv = (before.given or before.candidate, before.base + 1)
                assert entry.state is State.SETTLED
            else:
                assert entry.state is not State.SETTLED  # only what was proven is published
        if entry.state is State.APPLYING:
            assert before.state in (State.CHECKING, State.APPLYING)
            assert 1 <= entry.tries <= MAX_TRIES
        if before.state is State.APPLYING and event in (Event.DONE, Event.LOST, Event.RESUMED):
            maybe_live.add(before.candidate.password)
        assert maybe_live <= held(entry)
        assert entry.state in REST or entry.candidate is not None or entry.given is not None
        if entry.state not in REST:
            assert all(command(entry, own, session) is not None for own in (True, False) for session in (True, False))
        if entry.state is State.WITHDRAWN and before.state is not State.WITHDRAWN and before.given is None:
            assert before.fate in (Fate.UNSENT, Fate.REFUSED)  # all that was sent was refused
