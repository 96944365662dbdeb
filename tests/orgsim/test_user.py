"""A user's lock and the age of the password."""

from datetime import UTC, datetime, timedelta

import pytest

from salesforce_orgsim.password_policy import PasswordPolicy
from salesforce_orgsim.settings import UserSettings
from salesforce_orgsim.user import User

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)


@pytest.fixture
def user():
    settings = UserSettings("app@crm.example", "secret-one", first_name="Ada", last_name="Lovelace")
    return User("005", 1, settings, "secret-one", "secret-two", ["secret-one"], NOW)


def test_a_lock_lasts_as_long_as_the_policy_says(user):
    user.failed_count = 3
    user.lock(PasswordPolicy(lockout_interval=30), NOW)
    assert user.failed_count == 0
    assert user.locked(NOW + timedelta(minutes=29))
    assert not user.locked(NOW + timedelta(minutes=30))


def test_a_password_expires_by_its_age_unless_policy_or_permission_say_never(user):
    policy = PasswordPolicy(password_expiration=30)
    assert user.expires(policy) == NOW + timedelta(days=30)
    assert not user.password_expired(policy, NOW + timedelta(days=29))
    assert user.password_expired(policy, NOW + timedelta(days=30))
    assert user.expires(PasswordPolicy(password_expiration=0)) is None


@pytest.mark.parametrize("flag", ["temporary_password", "expired_by_administrator"])
def test_a_password_can_be_expired_whatever_its_age(user, flag):
    setattr(user, flag, True)
    assert user.password_expired(PasswordPolicy(password_expiration=0), NOW)


def test_names_are_shown_and_secrets_are_not(user):
    assert user.full_name == "Ada Lovelace"
    assert "secret-" not in repr(user)
