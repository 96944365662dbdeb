"""The org comes back where it was, with the users that Vault knows."""

import signal

import pytest

from vault_salesforce.dev.orgsim import OrgSim, User

BEFORE = User("app@example.com", "Start-1-app")
AFTER = User("app@example.com", "Start-2-app", "T0ken" * 5)


@pytest.fixture
def org(tmp_path):
    made = OrgSim(tmp_path, {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}, lambda _: None, lambda: [AFTER])
    made.start([BEFORE])
    yield made
    made.stop()


def has(org, user):
    try:
        asked = {"password": user.password, "security_token": user.security_token}
        checked = org.control().ask("POST", f"users/{user.username}/check", asked).body
        return all(checked[name] for name in asked)
    except OSError:
        return False


def test_after_a_crash_it_has_the_same_address_and_what_vault_knows(org):
    assert has(org, BEFORE)
    url = org.url
    org.part.signal(signal.SIGKILL)
    org.part.wait(lambda: has(org, AFTER))
    assert org.url == url


def test_its_users_get_their_new_tokens_by_mail(org):
    org.control().ask("POST", f"users/{BEFORE.username}/reset-security-token")
    assert len(list((org.mail / "new").iterdir())) == 1


def test_no_secret_of_a_user_is_on_its_command_line_or_readable_by_others(org, tmp_path):
    with open(f"/proc/{org.part.pid}/cmdline", "rb") as file:  # noqa: PTH123 - not a path of ours
        assert BEFORE.password.encode() not in file.read()
    assert (tmp_path / "org.json").stat().st_mode & 0o077 == 0
    assert BEFORE.password not in repr(BEFORE)
