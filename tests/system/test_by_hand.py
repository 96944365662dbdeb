"""The night when the sidecar is dead: what docs/operations.md tells people to type is typed, and finds what is live."""

import itertools
import re

import pytest
from typed import Terminal, commands, rows, section

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.machine import Entry, Fate, Secret, State
from vault_salesforce_sidecar.rotation.revealing import likely

pytestmark = pytest.mark.system

PAGE = "operations.md"
DEAD = "The sidecar is dead"


@pytest.fixture
def terminal(product, tmp_path):
    """A terminal in which the role of the documents is one of the test's."""

    def opened(account):
        encoded = account.username.replace("@", "%40")
        names = {"/crm": f"/{account.role}", "integration%40example.com": encoded}
        return Terminal(product.stack.vault.environment_of_cli(product.stack.vault.root_token), tmp_path, names)

    return opened


@pytest.fixture
def dead(stack):
    """Kills the sidecar, for as long as the test runs."""
    yield lambda: stack.sidecar.part.stop(grace_seconds=0)
    if not stack.sidecar.part.pid:
        stack.sidecar.restart()


def is_live(product, account, password):
    sent = {"password": password, "security_token": ""}
    return bool(product.org.ask("POST", f"users/{account.username}/check", sent).body["password"])


def entry_of(printed):
    """The journal entry as `bao kv get` prints it."""
    _, _, data = printed.partition("=== Data ===")
    return dict(re.findall(r"^(\w+) +(.*)$", data, re.MULTILINE))


def test_both_passwords_of_a_rotation_in_flight_are_found_by_hand(product, terminal, dead, hook):
    account = product.account()
    before = product.kv(account)
    hook.act = lambda _: dead()
    product.misbehave(account, hook_after_url={"url": hook.url, "times": 1})
    asked = product.rotate_meanwhile(account)
    assert hook.called.wait(20)
    asked.result()
    printed = [terminal(account).type(command) for command in commands(section(PAGE, DEAD))]
    served, published, username, entries, journal, candidate = printed
    assert before["password"] in served
    assert before["password"] in published
    assert username.strip() == account.username
    assert account.username.replace("@", "%40") in entries.split()
    entry = entry_of(journal)
    assert (entry["state"], entry["fate"]) == ("applying", "unsent")
    assert entry["candidate_password"] == candidate.strip()
    assert entry["current_password"] == before["password"]
    assert is_live(product, account, entry["candidate_password"])
    product.stack.sidecar.restart()
    product.until(lambda: product.version(account) == 2, "version 2, from the sidecar that was started again")
    assert product.is_live(account)
    assert product.counted(account)["lockouts"] == 0


def test_where_the_change_never_took_effect_the_other_one_is_live(product, terminal, dead):
    account = product.account()
    product.misbehave(account, silent={"operation": "changeOwnPassword", "seconds": 5.0})
    asked = product.rotate_meanwhile(account, wait=0)
    product.until(lambda: product.journal(account)["state"] == "applying", "the change")
    dead()
    asked.result()
    *_, journal, _ = [terminal(account).type(command) for command in commands(section(PAGE, DEAD))]
    entry = entry_of(journal)
    assert entry["state"] == "applying"
    assert is_live(product, account, entry["current_password"])
    assert not is_live(product, account, entry["candidate_password"])


def test_where_a_sidecar_runs_the_first_pages_are_answered(product, terminal, tmp_path):
    account = product.account()
    told = terminal(account)
    first = section(PAGE, "The sidecar runs: reveal")
    *_, revealed, wrapped = [told.type(command) for command in commands(first)]
    assert product.kv(account)["password"] in revealed
    assert product.kv(account)["password"] in told.type(f"bao unwrap {wrapped.strip()}")
    history = told.type("bao read -format=json sf/history/crm")
    assert history.count('"cause": "reveal"') == 2
    (tmp_path / "password.txt").write_text(product.kv(account)["password"])
    for command in commands(section(PAGE, "Afterwards")):
        told.type(command)
    assert product.status(account)["state"] == "ok"


def fits(row, entry):
    """Whether what a row of the table says of an entry is so."""
    values = {"state": entry.state.value, "reason": entry.reason, "fate": entry.fate.name.lower()}
    values |= {"refused": sorted(entry.refused), "resets": str(entry.resets).lower()}
    values |= {"by_admin": str(entry.by_admin).lower()}
    present = {"given_password": entry.given, "candidate_password": entry.candidate}
    for clause in row["the entry"].split(", "):
        first, *others = re.findall(r"`([^`]+)`", clause) or ("",)
        match re.sub(r"`[^`]+`", "_", clause):
            case "_ is _" | "_ is _ or _":
                so = values[first] in others
            case "_ is not _":
                so = values[first] not in others
            case "_ has _":
                so = others[0] in values[first]
            case "there is a _":
                so = present[first] is not None
            case "there is no _":
                so = present[first] is None
            case "anything else":
                so = True
            case unknown:
                pytest.fail(f"the table says {unknown!r}")
        if not so:
            return False
    return True


def told_by(table, entry):
    """Which passwords to try, by the first row that fits."""
    for row in table:
        if fits(row, entry):
            then = row["then"].strip("`")
            below = told_by(table, entry._replace(given=None)) if then == "as below" else [then] * bool(then)
            return [row["try first"].strip("`"), *below]
    return pytest.fail("no row fits")


def test_the_table_says_what_the_engine_says_of_every_entry_there_can_be():
    table = [row for row in rows(section(PAGE, DEAD)) if "try first" in row]
    old, new, given = (Secret(SecretStr(name)) for name in ("old", "new", "given"))
    reasons = ("", *(reason for row in table for reason in re.findall(r"`reason` is (.*)", row["the entry"])))
    reasons = {word for reason in reasons for word in re.findall(r"`([^`]+)`", reason)} | {""}
    assert len(reasons) == 5
    seen = 0
    mends = ({}, {"resets": True}, {"by_admin": True})
    for state, fate, reason, candidate, said, refused, mending in itertools.product(
        State, Fate, reasons, (None, new), (None, given), ((), ("current",)), mends
    ):
        if state is State.PUBLISHING and not (candidate or said):
            continue
        entry = Entry(state, old, 1, candidate, said, fate, refused=frozenset(refused), reason=reason, **mending)
        assert told_by(table, entry) == list(likely(entry).first), entry
        seen += 1
    assert seen > 1000
