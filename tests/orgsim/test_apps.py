"""Apps and their credentials as they live."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_orgsim.app_settings import AppSettings
from salesforce_orgsim.apps import new_app

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture
def app():
    return new_app(1, AppSettings("key-1", "hidden-1", live_after=60), NOW)


def test_a_new_app_is_known_after_a_while(app):
    assert not app.known(NOW + timedelta(seconds=59))
    assert app.known(NOW + timedelta(seconds=60))


def test_a_staged_pair_works_beside_the_present_one(app):
    staged = app.stage()
    assert app.with_key("key-1", NOW) is app.active
    assert app.with_key(staged.key, NOW) is staged
    assert staged.key != "key-1"
    assert (app.active.state, staged.state) == ("active", "staged")
    app.drop()
    assert app.with_key(staged.key, NOW) is None


def test_a_rotated_pair_goes_on_for_thirty_days(app):
    key = app.stage().key
    app.rotate(NOW)
    assert (app.active.key, app.beside.key, app.beside.state) == (key, "key-1", "rotated")
    assert app.with_key("key-1", NOW + timedelta(days=29))
    assert app.with_key("key-1", NOW + timedelta(days=30)) is None
    assert app.with_key(key, NOW + timedelta(days=30))


def test_secrets_are_not_in_an_apps_representation(app):
    app.stage()
    assert "hidden-1" not in repr(app)
    assert app.beside.secret not in repr(app)
