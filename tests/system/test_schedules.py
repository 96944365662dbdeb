"""Schedules through the real server: what is stored, what a write answers, and what a restart leaves alone."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

pytestmark = pytest.mark.system

DAY = 86_400


def next_rotation(product, account):
    return datetime.fromisoformat(product.status(account)["next_rotation"])


def test_a_role_is_rotated_by_its_schedule_and_its_next_time_is_stored(product):
    account = product.account(rotation_period=60)
    stored = datetime.fromisoformat(product.journal(account)["next_rotation"])
    assert stored == next_rotation(product, account)
    product.vault.ask(
        "POST",
        f"v1/sf/static-roles/{account.role}",
        {"rotation_period": 30 * DAY, "initial_rotation_at": datetime.now(UTC).isoformat()},
    )
    product.until(lambda: product.version(account) == 2, "the rotation at the time that was named")
    now = datetime.now(UTC)
    assert timedelta(days=29) < next_rotation(product, account) - now < timedelta(days=31)
    assert product.journal(account)["planned_by"].startswith(f"every {30 * DAY} from ")


def test_a_new_schedule_is_read_back_told_and_rotates_nothing(product):
    account = product.account(rotation_period=60)
    settings = {"rotation_schedule": "30 3 * * 0", "rotation_window": 7200, "rotation_time_zone": "Asia/Kathmandu"}
    answer = product.vault.ask("POST", f"v1/sf/static-roles/{account.role}", settings)
    due = next_rotation(product, account)
    assert any(due.isoformat(timespec="seconds") in warning for warning in answer.body["warnings"])
    assert datetime.now(UTC) < due
    on_the_wall = due.astimezone(ZoneInfo("Asia/Kathmandu"))
    assert on_the_wall.strftime("%a") == "Sun"
    assert time(3, 30) <= on_the_wall.time() <= time(4, 30)
    read = product.vault.ask("GET", f"v1/sf/static-roles/{account.role}").data
    assert {name: read[name] for name in settings} == settings
    assert "rotation_period" not in read
    assert product.version(account) == 1


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"rotation_schedule": "0 3 30 2 *"}, "never comes"),
        ({"rotation_schedule": "0 3 * * *", "rotation_time_zone": "europe/berlin"}, "did you mean Europe/Berlin"),
        ({"rotation_period": 60, "rotation_schedule": "0 3 * * *"}, "either rotation_period or rotation_schedule"),
    ],
)
def test_a_wrong_schedule_is_refused_and_changes_nothing(product, settings, sentence):
    account = product.account()
    answer = product.vault.send("POST", f"v1/sf/static-roles/{account.role}", settings)
    assert answer.status == 400
    assert sentence in answer.body["errors"][0]
    assert product.status(account).get("next_rotation") is None
