"""The configuration of an org."""

import pytest

from salesforce_orgsim.reading import SettingsError
from salesforce_orgsim.settings import DEFAULT_CONFIG, read_config, read_user


def test_an_empty_configuration_is_the_default_org():
    assert read_config({}) == DEFAULT_CONFIG


def test_names_in_camel_case_and_nested_policies_are_read():
    config = read_config({"org": {"retireMode": "pre-W26", "passwordPolicy": {"maxLoginAttempts": 3}}})
    assert config.org.retire_mode == "pre-W26"
    assert config.org.password_policy.max_login_attempts == 3
    assert config.org.password_policy.password_history == 3


def test_a_users_mail_goes_to_the_user_name_unless_an_address_is_given():
    assert read_user({"username": "a@b.example", "password": "x"}).email == "a@b.example"
    assert read_user({"username": "a@b.example", "password": "x", "email": "m@b.example"}).email == "m@b.example"


def test_all_faults_of_a_configuration_are_reported_together():
    document = {
        "organisation": {},
        "org": {"trusted_ranges": ["nonsense"], "profile_policies": {"Robots": {"lockout": 1}}},
        "users": [{"username": "a@b.example"}, {"password": "x", "login_hours": [9, 8]}],
    }
    with pytest.raises(SettingsError) as caught:
        read_config(document)
    text = str(caught.value)
    for part in ("'organisation'", "nonsense", "'lockout'", "users[0].password is missing", "login_hours"):
        assert part in text


@pytest.mark.parametrize("document", [[], {"users": {}}, {"org": []}])
def test_parts_of_the_wrong_kind_are_refused(document):
    with pytest.raises(SettingsError, match="must be"):
        read_config(document)


def test_two_users_of_one_name_are_refused():
    with pytest.raises(SettingsError, match="there twice"):
        read_config(
            {"users": [{"username": "a@b.example", "password": "x"}, {"username": "A@b.example", "password": "y"}]}
        )


def test_two_apps_of_one_key_and_an_app_without_one_are_refused():
    with pytest.raises(SettingsError, match="there twice"):
        read_config({"apps": [{"client_id": "k"}, {"clientId": "k"}]})
    with pytest.raises(SettingsError, match=r"apps\[0\].client_id is missing"):
        read_config({"apps": [{}]})


def test_secrets_are_not_in_a_users_representation():
    assert "hidden" not in repr(read_user({"username": "a", "password": "hidden", "security_token": "hidden"}))
