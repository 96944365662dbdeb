"""What a real agent renders, and when, with the configuration of `docs/consumers.md`."""

import stat
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from servers import BOTH

pytestmark = pytest.mark.system

WAYS = ("static-creds", "creds", "KV")
PATIENCE = 10  # how often the documented time may pass on a machine that does much else


def test_a_rotation_reaches_every_way_of_reading_and_nothing_else_is_rendered(product, app_of):
    # The file is looked at here, not the end of a lease: an agent that is slow to renew rotates nothing.
    account = product.account(ttl=5, rotate_on_lease_end="never")
    app = app_of(account)
    agents = [app.agent(*WAYS, binary=binary) for binary in BOTH.values()]
    files = [renders for _, by_way in agents for renders in by_way.values()]

    def look_again():
        """Every agent read three times more, and renewed once more."""
        more = {"static-creds": 3, "KV": 3, "creds": 1}
        due = {path: app.audit.answers(path) + more[way] * len(agents) for way, path in app.paths.items()}
        product.until(lambda: all(app.audit.answers(path) >= due[path] for path in due), "more looks by every agent")

    for agent, renders in agents:
        agent.start(lambda renders=renders: all(each.versions() == [1] for each in renders.values()))
    look_again()
    assert [each.versions() for each in files] == [[1]] * len(files)

    assert product.rotate(account).data["done"] is True
    for _, renders in agents:
        for way, within in (("static-creds", 1), ("KV", 1), ("creds", 5)):
            seen = renders[way]
            product.until(lambda seen=seen: seen.versions() == [1, 2], f"version 2 by {way}", within * PATIENCE)
    look_again()
    assert [each.versions() for each in files] == [[1, 2]] * len(files)

    held = product.static_creds(account)
    for each in files:
        assert each.credentials()[-1] == held
        assert each.destination.read_text() == each.texts()[-1]
        assert stat.S_IMODE(each.destination.stat().st_mode) == 0o400
    for agent, renders in agents:
        agent.stop()
        for credential in renders["KV"].credentials():
            assert credential["password"] not in agent.log


def test_the_password_does_not_outlive_the_agent_that_leased_it(product, app_of):
    account = product.account(ttl=5, lease_rotation_interval=0)
    app = app_of(account)
    first, renders = app.agent("creds")
    first.start(lambda: renders["creds"].versions() == [1])
    first.stop()
    product.until(lambda: product.version(account) == 2, "the rotation, when the agent's lease is over")
    second, renders = app.agent("creds")
    second.start(lambda: renders["creds"].versions() == [2])
    assert renders["creds"].credentials() == [product.static_creds(account)]
    assert product.counted(account)["password_changes"] == 1


def test_an_agent_reads_the_next_version_after_the_end_of_somebody_elses_lease(product, app_of):
    account = product.account(ttl=5, rotate_on_lease_end="any", lease_rotation_interval=0)
    agent, renders = app_of(account).agent("creds")
    agent.start(lambda: renders["creds"].versions() == [1])
    other = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body["lease_id"]
    product.vault.ask("PUT", "v1/sys/leases/revoke", {"lease_id": other, "sync": True})
    product.until(lambda: renders["creds"].versions() == [1, 2], "version 2 in the file", 5 * PATIENCE)
    # The lease on version 1 that the agent left behind is over by now, and means nothing any more.
    assert product.version(account) == 2


def test_with_ttl_hints_an_agent_does_not_see_a_manual_rotation_before_the_ttl_has_run_out(product, app_of):
    soon = (datetime.now(UTC) + timedelta(seconds=15)).isoformat()
    account = product.account(consumer_hints="ttl", rotation_period=60, initial_rotation_at=soon)
    app = app_of(account)
    assert 10 <= product.static_creds(account)["ttl"] <= 15
    before = app.audit.answers(app.paths["static-creds"])
    agent, renders = app.agent("static-creds", "KV")
    agent.start(lambda: all(each.versions() == [1] for each in renders.values()))
    assert product.rotate(account).data["done"] is True
    product.until(lambda: renders["KV"].versions()[-1] > 1, "the new version by KV, which carries no hints")
    assert renders["static-creds"].versions() == [1]
    assert app.audit.answers(app.paths["static-creds"]) == before + 1
    product.until(lambda: renders["static-creds"].versions()[-1] > 1, "the new version, once the ttl has run out")
    assert app.audit.answers(app.paths["static-creds"]) == before + 2
    assert app.audit.answers(app.paths["KV"]) > 5
    assert "ttl" not in renders["KV"].credentials()[0]


def test_a_current_lease_never_comes_back_shorter_than_it_was(product):
    account = product.account()
    leased = product.vault.ask("GET", f"v1/sf/creds/{account.role}").body
    # The Vault Secrets Operator takes a shorter one for the end, reads anew and restarts pods. The server counts whole
    # seconds from the issue, so it is asked at many fractions of one.
    renewals = []
    for _ in range(24):
        threading.Event().wait(0.045)
        asked, began = {"lease_id": leased["lease_id"], "increment": leased["lease_duration"]}, time.monotonic()
        renewed = product.vault.ask("PUT", "v1/sys/leases/renew", asked).body
        if time.monotonic() - began < 1:  # what the server is busy with for longer it takes off
            renewals.append((renewed["lease_duration"], renewed["warnings"]))
    assert len(renewals) > 12
    assert renewals == [(leased["lease_duration"], None)] * len(renewals)


def test_after_a_role_is_deleted_the_file_stays_and_that_of_kv_is_empty(product, app_of):
    account = product.account()
    agent, renders = app_of(account).agent("static-creds", "KV")
    agent.start(lambda: all(each.versions() == [1] for each in renders.values()))
    product.vault.ask("DELETE", f"v1/sf/static-roles/{account.role}")
    product.until(lambda: renders["KV"].texts()[-1] == "{}", "the last, empty version in KV")
    product.until(lambda: "was deleted" in agent.log, "the reason in the agent's log")
    assert renders["static-creds"].versions() == [1]


@pytest.mark.parametrize("strict", [True, False])
def test_a_misspelt_field_ends_the_agent_or_is_no_value_and_never_shows_a_secret(product, app_of, strict, tmp_path):
    account = product.account()
    agent, renders = app_of(account).agent("static-creds")
    (file,) = tmp_path.glob("*/agent.hcl")
    text = file.read_text().replace(".Data | toJSON", ".Data.pasword")
    file.write_text(
        "exit_after_auth = true\n" + text.replace("missing_key = true", f"missing_key = {str(strict).lower()}")
    )
    ended = agent.once()
    assert (ended.returncode != 0) is strict
    assert renders["static-creds"].texts() == ([] if strict else ["<no value>"])
    assert product.static_creds(account)["password"] not in ended.stdout + ended.stderr
