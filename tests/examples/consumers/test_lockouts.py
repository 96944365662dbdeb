"""Twenty processes of an example through twenty rotations of their user, in an org that locks after three failures."""

import sys

import pytest
import requests
from agent import Audit
from crowd import EXAMPLES, INTERVAL_SECONDS, PAUSE_SECONDS, WORKERS, Crowd
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed

from vault_salesforce.dev.client import ToOrg

pytestmark = pytest.mark.system

PROCESSES, ROTATIONS, FAILURES_ALLOWED = 20, 20, 2


@pytest.fixture
def tight(product):
    """The profile of users who are locked after the third failed login in a row."""
    policies = {"Tight": {"max_login_attempts": FAILURES_ALLOWED + 1}}
    product.org.ask("PATCH", "org", {"profile_policies": policies})
    yield "Tight"
    product.org.ask("PATCH", "org", {"profile_policies": {}})


@pytest.fixture
def account(product, tight):
    password = product.password()
    return product.role(product.user(password=password, profile=tight), password=password)


@pytest.fixture(params=["python", "node"])
def begin(request, product):
    """Starts so many processes of one example."""

    def begin(crowd: Crowd, role: str, number: int) -> None:
        pauses = (str(INTERVAL_SECONDS), str(PAUSE_SECONDS))
        if request.param == "python":
            worker = (sys.executable, "-I", str(WORKERS / "python_worker.py"), str(EXAMPLES / "python"))
            crowd.start((*worker, product.stack.orgsim.url, role, str(number), *pauses), programs=1)
        else:
            folder = request.getfixturevalue("node_example")
            crowd.start(("node", str(WORKERS / "node_worker.js"), str(folder), role, *pauses), programs=number)

    return begin


def test_through_twenty_rotations_twenty_processes_log_in_once_a_version_and_lock_nobody(
    product, account, hook, crowd_of, begin
):
    ends = []  # whether the org ends all sessions with the change, as some orgs are set

    def at_the_change(_):
        changing = product.vault.ask("GET", f"v1/sf/version/{account.role}").data["changing"]
        if ends[-1]:
            product.org.ask("POST", f"users/{account.username}/end-sessions")
        return changing

    hook.act = at_the_change
    product.misbehave(account, hook_after_url={"url": hook.url})
    crowd = crowd_of(account)
    begin(crowd, account.role, PROCESSES)
    crowd.all_logged_in(PROCESSES, 1)
    for number in range(ROTATIONS):
        ends.append(number % 2 == 0)
        assert product.rotate(account).data["done"] is True
        crowd.all_logged_in(PROCESSES, 1 + sum(ends))
    told = crowd.stop()
    assert hook.seen == [True] * ROTATIONS  # whoever asked at that instant was told to wait
    assert [(line["found"], line["refused"]) for line in told] == [(1, [])] * PROCESSES
    assert set(crowd.logins().values()) == {1 + sum(ends)}
    counted = product.counted(account)
    assert (counted["lockouts"], counted["locked"], counted["failed_logins"]) == (0, False, 0)
    assert counted["password_changes"] == product.version(account) - 1 == ROTATIONS


def test_a_version_that_was_refused_is_never_tried_again_and_the_next_one_is_tried_once(
    product, account, crowd_of, begin
):
    changed_by_hand = product.password()
    product.org.ask("PATCH", f"users/{account.username}", {"password": changed_by_hand})
    crowd = crowd_of(account)
    begin(crowd, account.role, FAILURES_ALLOWED)
    product.until(lambda: product.counted(account)["failed_logins"] == FAILURES_ALLOWED, "one refusal of each process")
    asked = product.org.ask("GET", "requests").data[-1]["n"]
    audit = Audit(product.stack.vault.shared.audit)
    product.until(lambda: audit.answers(f"sf/version/{account.role}") >= 5 * FAILURES_ALLOWED, "more looks at Vault")
    later = product.org.ask("GET", f"requests?since={asked}").data
    assert [one for one in later if one["username"] == account.username] == []
    product.vault.ask("POST", f"v1/sf/resync/{account.role}", {"password": changed_by_hand})
    crowd.all_logged_in(FAILURES_ALLOWED, 1)
    assert [line["refused"] for line in crowd.stop()] == [[1]] * FAILURES_ALLOWED
    counted = product.counted(account)
    assert (counted["lockouts"], counted["failed_logins"]) == (0, FAILURES_ALLOWED)


def test_a_library_that_logs_in_by_itself_locks_the_user(product, account):
    web = requests.Session()
    web.trust_env = False
    web.mount("https://", ToOrg(product.stack.orgsim.url))
    held = product.static_creds(account)
    given = {name: held[name] for name in ("username", "password", "security_token")}
    apps = [Salesforce(**given, session=web) for _ in range(FAILURES_ALLOWED + 1)]
    assert product.rotate(account).data["done"] is True
    product.org.ask("POST", f"users/{account.username}/end-sessions")
    for app in apps:
        with pytest.raises(SalesforceAuthenticationFailed):
            app.query("SELECT Id FROM Organization")
    assert product.counted(account)["lockouts"] == 1
