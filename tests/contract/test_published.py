"""The committed credential."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.fields import build, fields_of, from_stored, parse, read_back, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.published import PublishedCredential

TIMES = st.datetimes(min_value=datetime(2000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
CREDENTIALS = st.builds(
    PublishedCredential,
    username=st.text(),
    password=st.text().map(SecretStr),
    version=st.integers(1, 10**9),
    rotation_id=st.text(),
    last_vault_rotation=TIMES,
    login_url=st.text(),
    security_token=st.text().map(SecretStr),
    rotation_period=st.none() | st.integers(0, 10**9),
    next_rotation=st.none() | TIMES,
    ttl=st.integers(0, 10**9),
    rotate_on_lease_end=st.sampled_from(["last", "any", "never"]),
    deleted=st.booleans(),
)
GIVEN = {
    "username": "app@example.com",
    "password": "p4ss",
    "security_token": "t0ken",
    "version": 1,
    "rotation_id": "r",
    "last_vault_rotation": "2030-01-01T12:00:00Z",
    "login_url": "https://login.example.com",
}


def made(**fields):
    values, unknown = parse(fields_of(PublishedCredential), GIVEN | fields)
    assert unknown == []
    return build(PublishedCredential, values)


@given(CREDENTIALS)
def test_what_one_half_stores_or_sends_the_other_reads(credential):
    sent = json.loads(json.dumps(to_stored(credential)))
    assert from_stored(PublishedCredential, sent) == credential
    values, _ = parse(fields_of(PublishedCredential), sent)
    assert build(PublishedCredential, values) == credential


def test_defaults_are_a_ten_minute_lease_that_ends_within_a_day_and_whose_last_end_rotates():
    credential = made()
    assert (credential.ttl, credential.max_ttl, credential.rotate_on_lease_end, credential.deleted) == (
        600,
        86_400,
        "last",
        False,
    )


def test_the_last_version_of_a_deleted_role_has_no_password():
    assert made(password="", deleted=True).deleted


@pytest.mark.parametrize("missing", ["username", "password", "version", "rotation_id", "last_vault_rotation"])
def test_nothing_that_matters_has_a_default(missing):
    with pytest.raises(CallerError, match=f"{missing} is missing"):
        made(**{missing: None})


def test_readers_get_only_what_is_the_same_between_two_reads_of_one_version():
    assert made(ttl=60, rotation_period=60).for_readers() == {
        "username": "app@example.com",
        "password": "p4ss",
        "security_token": "t0ken",
        "password_token": "p4sst0ken",
        "login_url": "https://login.example.com",
        "instance_url": "",
        "organization_id": "",
        "version": 1,
        "last_vault_rotation": "2030-01-01T12:00:00Z",
    }


def test_without_a_token_the_password_is_all_that_is_sent():
    assert made(security_token="").for_readers()["password_token"] == "p4ss"


def test_no_secret_shows_in_what_is_printed_or_read_back():
    for shown in (repr(made()), str(read_back(made()))):
        assert "p4ss" not in shown
        assert "t0ken" not in shown
