"""Every state that a role can be in, reached for real: the next step is typed as printed, and the role leaves it.

Where a person has to do something in Salesforce first, the status says what and where, and the test does that alone.
`held` is in test_hold.py. A schedule that is due begins by itself.
"""

import os
import secrets
import signal
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from desk import OUTSIDE, Desk, during, mailed_token, person, role_with_a_token_by_hand
from product import Account, Product

from vault_salesforce.dev.setup import POLICY

pytestmark = pytest.mark.system

SETUP = "Setup, Users"


@pytest.fixture(scope="module")
def product(stack):
    """The running product, whose org keeps its misbehaviour from one test to the next: some states take their time."""
    made = Product(stack)
    yield made
    made.org.ask("DELETE", "misbehave")
    made.close()


@pytest.fixture(scope="module")
def desk(product, tmp_path_factory):
    """An operator's terminal, on which the command line is called `vault`."""
    return Desk(product, tmp_path_factory.mktemp("desk"))


@dataclass(frozen=True)
class Accidents:
    """What happened while no sidecar ran, and what the server said meanwhile.

    Attributes:
        refused: The answer to who read a status.
        connection: One whose identity may look, and set passwords.
        password: That of the journal that was lost.
    """

    refused: subprocess.CompletedProcess[str]
    connection: str
    drifted: Account
    administered: Account
    lost_versions: Account
    lost_journal: Account
    password: str


@pytest.fixture(scope="module")
def accidents(product, desk):
    """Done at one go: the sidecar is stopped once, and looks for drift again a while after it was started."""
    connection, password = f"c{secrets.token_hex(4)}", product.password()
    settings = {"login_url": product.stack.orgsim.url, "allowed_roles": ["*"], "admin_may_rotate": ["*@example.com"]}
    identity = product.user(password=password, manage_users=True)
    settings |= {"auth_method": "password", "username": identity, "password": password}
    product.vault.ask("POST", f"v1/sf/config/{connection}", settings)
    drifted, administered = (
        product.account(config=connection, self_managed=self_managed) for self_managed in (True, False)
    )
    lost_versions, lost_journal = product.account(), product.account()
    product.rotate(lost_versions)
    first = product.kv(lost_journal)["password"]
    product.stack.sidecar.stop()
    refused = desk.type(f"vault read sf/status/{drifted.role}")
    desk.type(f"vault kv metadata delete salesforce/creds/{lost_versions.role}")
    desk.type(f"vault kv metadata delete salesforce-engine/journal/{lost_journal.username.replace('@', '%40')}")
    for account in (drifted, administered):
        person(product, account, password=OUTSIDE)
    product.stack.sidecar.restart()
    return Accidents(refused, connection, drifted, administered, lost_versions, lost_journal, first)


@pytest.fixture(scope="module", autouse=True)
def three_changes(product, accidents):
    """A role on its way to three changes without effect, which takes long; nobody waits for it."""
    account = product.account()
    product.misbehave(account, close_connection={"operation": "changeOwnPassword", "times": 3})
    product.rotate(account, wait=0)
    return account


def test_a_role_that_is_well_needs_nothing(product, desk):
    desk.is_well(product.account(), 1)


def test_due_with_an_expired_password(product, desk):
    password = product.password()
    username = product.user(password=password)
    product.org.ask("PATCH", f"users/{username}", {"expired": True})
    account = product.role(username, password=password)
    status = desk.status(account)
    assert status["state"] == "due"
    desk.take(status)
    desk.is_well(account, 1)


def test_rotating_goes_on_by_itself(product, desk, hook):
    account, seen = product.account(), []

    def act():
        seen.append(desk.status(account))
        seen.append(desk.take(seen[0]).stdout)

    assert during(product, hook, account, act).data["done"] is True
    status, told = seen
    assert status["state"] == "rotating"
    assert "it goes on by itself" in status["reason"]
    assert "rotating" in told
    desk.is_well(account, 2)


def test_awaiting_a_token_that_somebody_has_to_hand_in(product, desk):
    account = role_with_a_token_by_hand(product)
    product.rotate(account, allow_security_token_wait=True)
    status = desk.status(account)
    assert (status["state"], status["token_state"]) == ("awaiting", "stale")
    assert "mails it to the user's address" in status["reason"]
    # Three times the wrong one.
    for _ in range(3):
        refused = desk.type(desk.status(account)["next_step"], secrets.token_hex(12))
        assert refused.returncode == 2
    status = desk.status(account)
    assert SETUP in status["reason"]
    desk.take(status)
    status = desk.status(account)
    assert status["state"] == "awaiting"
    assert "another one is needed" in status["reason"]
    desk.take(status, mailed_token(product, account))
    desk.is_well(account, 2)


def test_awaiting_a_mail_that_was_lost(product, desk):
    account = product.account_with_token()
    product.misbehave(account, mail_lost={})
    product.rotate(account, wait=1)
    status = desk.status(account)
    assert status["state"] == "awaiting"
    assert "Reset My Security Token" in status["reason"]
    product.org.ask("PATCH", "misbehave", {"mail_lost": False})
    product.org.ask("POST", f"users/{account.username}/reset-security-token")
    desk.is_well(account, 2)


def test_awaiting_the_first_token(product, desk):
    password = product.password()
    username = product.user(password=password, login_ranges=[], ever_reset_token_manually=True)
    account = product.role(username, password=password, security_token_from="mailbox")
    status = desk.status(account)
    assert (status["state"], status["version"]) == ("awaiting", 0)
    assert "Reset My Security Token" in status["next_step"]
    product.org.ask("POST", f"users/{username}/reset-security-token")
    desk.is_well(account, 1)


def test_parked_where_a_schedule_might_leave_consumers_without_a_token(product, desk):
    soon = datetime.now(UTC) + timedelta(seconds=2)  # after its creation
    account = role_with_a_token_by_hand(product, initial_rotation_at=soon.isoformat())
    status = desk.rests(account, "parked")
    assert status["reason"].startswith("due, but its new security token has to be handed in")
    desk.take(status)
    status = desk.rests(account, "awaiting")
    desk.take(status, mailed_token(product, account))
    desk.is_well(account, 2)


def test_parked_by_an_org_that_let_nobody_in(product, desk):
    account = product.account()
    person(product, account, api_enabled=False)
    assert product.rotate(account).status == 424
    status = desk.status(account)
    assert status["state"] == "parked"
    assert "API Enabled (Setup" in status["reason"]
    person(product, account, api_enabled=True)
    desk.take(status)
    desk.is_well(account, 2)


def test_parked_by_an_org_that_refused_the_new_password(product, desk):
    account = product.account()
    knob = {"code": "INVALID_NEW_PASSWORD", "operation": "changeOwnPassword", "times": 1}
    product.misbehave(account, refuse_before=knob)
    product.rotate(account)
    status = desk.status(account)
    assert status["state"] == "parked"
    assert "the old one is live" in status["reason"]
    assert "Setup, Profiles" in status["reason"]
    desk.take(status)
    desk.is_well(account, 2)


def test_parked_by_logins_of_which_nobody_knows(product, desk):
    account = product.account()
    product.misbehave(account, html_503={"operation": "login", "times": 3})
    product.rotate(account)
    status = desk.status(account)
    assert (status["state"], status["logins_left"]) == ("parked", 0)
    assert SETUP in status["reason"]
    desk.take(status)
    desk.is_well(account, 1)


def test_parked_with_a_deletion_that_is_not_finished(product, desk):
    account = product.account()
    policy = product.vault.ask("GET", f"v1/sys/policies/acl/{POLICY}").data["policy"]
    readable = f'\npath "salesforce/data/creds/{account.role}" {{ capabilities = ["read"] }}\n'
    product.vault.ask("PUT", f"v1/sys/policies/acl/{POLICY}", {"policy": policy + readable})
    refused = desk.type(f"vault delete sf/static-roles/{account.role}")
    product.vault.ask("PUT", f"v1/sys/policies/acl/{POLICY}", {"policy": policy})
    assert refused.returncode == 2
    status = desk.status(account)
    assert status["state"] == "parked"
    desk.take(status)
    assert desk.type(f"vault read sf/status/{account.role}").returncode == 2


def test_stuck_with_a_user_who_was_locked(product, desk):
    account = product.account()
    person(product, account, locked=True)
    assert product.rotate(account).status == 424
    status = desk.status(account)
    assert status["state"] == "stuck"
    assert f"In {SETUP}, unlock the user" in status["reason"]
    person(product, account, locked=False)
    desk.take(status)
    desk.is_well(account, 2)


def test_stuck_with_a_password_that_somebody_changed(product, desk):
    """Nobody can see that it was: the status names both, and each is one command."""
    account = product.account()
    person(product, account, password=OUTSIDE)
    product.rotate(account)
    status = desk.status(account)
    assert status["state"] == "stuck"
    _, found, command = status["reason"].partition("instead: ")
    assert found
    desk.take(status | {"next_step": command}, OUTSIDE)
    desk.is_well(account, 2)


def test_stuck_with_a_new_password_that_was_accepted_and_does_not_log_in(product, desk, hook):
    account = product.account()
    during(product, hook, account, lambda: person(product, account, locked=True))
    status = desk.status(account)
    assert status["state"] == "stuck"
    # The user's own session, opened before the change, shows why.
    assert "'Password Lockout'" in status["reason"]
    assert "Setup, Users, Unlock" in status["reason"]
    assert "neither" not in status["reason"]
    # Typed before anybody looked at the user: it costs the logins that are left, and then that is what is wrong.
    desk.type(status["next_step"])
    desk.type(desk.rests(account, "stuck")["next_step"])
    status = desk.rests(account, "stuck")
    assert status["logins_left"] == 0
    assert f"in {SETUP}, see that it is not locked" in status["reason"]
    person(product, account, locked=False)
    desk.take(status)
    desk.is_well(account, 2)


def test_stuck_with_both_passwords_refused(product, desk, hook):
    password = product.password()
    # Of a password that is older, the org's record tells at once whether it was changed, and no login is made for that.
    account = product.role(product.user(password=password, password_age_days=2), password=password)
    during(product, hook, account, lambda: person(product, account, locked=True), change_then_500={"times": 1})
    status = desk.rests(account, "stuck")
    assert "'Password Lockout'" in status["reason"]
    assert SETUP in status["reason"]
    person(product, account, locked=False)
    desk.take(status)
    desk.is_well(account, 2)


def test_stuck_before_a_door_that_is_shut(product, desk, hook):
    account = product.account()
    during(product, hook, account, lambda: person(product, account, login_ranges=["192.0.2.1"]))
    status = desk.status(account)
    assert status["state"] == "stuck"
    assert "Login IP Ranges (Setup, Profiles)" in status["reason"]
    person(product, account, login_ranges=["127.0.0.1"])
    desk.take(status)
    desk.is_well(account, 2)


def test_stuck_after_somebody_handed_in_what_does_not_log_in(product, desk, hook):
    account = product.account()
    during(product, hook, account, lambda: person(product, account, locked=True))
    person(product, account, locked=False)
    refused = desk.type(f"vault write sf/resync/{account.role} password=-", "Wrong-password-1")
    assert refused.returncode == 2
    status = desk.status(account)
    assert status["state"] == "stuck"
    desk.take(status)
    desk.is_well(account, 2)


def test_stuck_with_a_version_that_somebody_wrote_meanwhile(product, desk, hook):
    account = product.account()
    during(product, hook, account, lambda: desk.type(f"vault kv put -cas=1 salesforce/creds/{account.role} password=x"))
    status = desk.status(account)
    assert status["state"] == "stuck"
    assert status["reason"].startswith("KV does not hold the version that was published last")
    desk.take(status)
    desk.is_well(account, 3)


def test_stuck_at_rest_with_a_version_that_somebody_wrote(product, desk):
    account = product.account()
    desk.type(f"vault kv put -cas=1 salesforce/creds/{account.role} password=x")
    status = desk.status(account)
    assert status["state"] == "stuck"
    desk.take(status)
    desk.is_well(account, 3)


def test_stuck_at_rest_with_versions_that_are_lost(product, desk, accidents):
    account = accidents.lost_versions
    refused = product.rotate(account)
    assert (refused.status, refused.body["code"]) == (503, "kv_behind")
    assert f"status/{account.role}" in refused.body["remedy"]
    steps = []
    while (status := desk.status(account))["state"] == "stuck":
        steps.append(status["next_step"])
        desk.take(status)
    assert [step.split()[1] for step in steps] == ["write"]
    desk.is_well(account, 3)


def test_unpublished_before_the_first_rotation(product, desk, accidents):
    account = product.role(product.user(), config=accidents.connection, self_managed=False)
    status = desk.status(account)
    assert (status["state"], status["version"]) == ("unpublished", 0)
    desk.take(status)
    desk.is_well(account, 1)


def test_unpublished_where_the_journal_was_lost(desk, accidents):
    status = desk.status(accidents.lost_journal)
    assert status["state"] == "unpublished"
    desk.take(status, accidents.password)
    assert desk.rests(accidents.lost_journal, "ok")["version"] >= 1


def test_stuck_after_three_changes_without_effect(desk, three_changes):
    status = desk.rests(three_changes, "stuck")
    assert status["reason"].startswith("Three logins were made for this rotation")
    desk.take(status)
    desk.is_well(three_changes, 2)


@pytest.mark.parametrize(("name", "supplied"), [("drifted", OUTSIDE), ("administered", "")])
def test_drifted(desk, accidents, name, supplied):
    account = getattr(accidents, name)
    status = desk.rests(account, "drifted")
    assert status["reason"].startswith("Somebody changed the password in Salesforce")
    desk.take(status, supplied)
    desk.is_well(account, 2)


def test_a_status_while_the_sidecar_is_down_says_what_to_see_to(accidents):
    assert accidents.refused.returncode == 2
    assert "Code: 503" in accidents.refused.stderr
    assert "see whether the sidecars run" in accidents.refused.stderr


def test_a_status_after_the_plugin_was_killed_is_answered(product, desk, stack):
    account = product.account()
    children = Path(f"/proc/{stack.vault.part.pid}/task").glob("*/children")
    processes = [int(pid) for file in children for pid in file.read_text().split()]
    (plugin,) = [pid for pid in processes if b"vault-plugin" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    os.kill(plugin, signal.SIGKILL)
    product.until(lambda: desk.type(f"vault read sf/status/{account.role}").returncode == 0, "a status")
    desk.is_well(account, 1)


def test_after_all_this_the_mount_lacks_no_copy(product):
    def at_rest():
        info = product.vault.ask("GET", "v1/sf/info").data
        return info["complete"] and not info["missing"] and not info["next_step"]

    product.until(at_rest, "a mount that is well")
