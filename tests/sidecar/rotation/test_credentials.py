"""What apps read in KV."""

import pytest
from fakes import CALLER, JOURNAL
from stage import Stage

from vault_salesforce_sidecar.rotation.credentials import Credentials


@pytest.fixture
def stage():
    stage = Stage(token_from="manual", untrusted=True)
    stage.enrolled()
    return stage


def test_a_version_holds_what_clients_need_and_the_path_says_who_made_it(stage):
    assert stage.published == {
        "username": "integration@acme.example",
        "password": "Old-password-1",
        "security_token": "Token0000Reset0000Abcdef",
        "password_token": "Old-password-1Token0000Reset0000Abcdef",
        "login_url": "https://acme.my.salesforce.example",
        "instance_url": "https://acme.my.salesforce.example",
        "organization_id": "00D000000000001AAA",
        "version": 1,
        "last_vault_rotation": "2030-01-01T00:00:00Z",
    }
    labels = stage.creds_kv.metadata["creds/crm"]["custom_metadata"]
    assert labels == {"role": "crm", "rotation_id": stage.entry["rotation_id"], "time": "2030-01-01T00:00:00Z"}


def test_a_version_is_read_as_it_was_written(stage):
    found = Credentials(stage.creds_kv).read("crm")
    assert found.secret.password.reveal() == "Old-password-1"
    assert found.secret.token.reveal() == "Token0000Reset0000Abcdef"
    assert (found.version, found.rotation_id) == (1, stage.entry["rotation_id"])


@pytest.mark.parametrize("data", [{}, {"password": ""}, {"password": 7}, {"password": "x", "security_token": 7}, None])
def test_what_is_empty_deleted_or_of_another_shape_is_no_secret(stage, data):
    stage.creds_kv.versions["creds/crm"].append(data)
    found = Credentials(stage.creds_kv).read("crm")
    assert (found.version, found.secret) == (2, None)


def test_a_path_that_never_was_has_version_nought(stage):
    assert Credentials(stage.creds_kv).read("other").version == 0
    assert Credentials(stage.creds_kv).names() == ["crm"]


def test_the_last_version_of_a_deleted_role_is_empty(stage):
    stage.sidecar().delete("crm", CALLER)
    assert stage.creds_kv.versions["creds/crm"][1] == {}


def test_a_role_is_deleted_although_somebody_else_writes_its_entry_meanwhile(stage):
    """What a rotation owed a moment ago is done by another thread, whose write makes ours come too late."""
    write = stage.creds_kv.write

    def at_the_same_time(path, data, cas):
        stage.creds_kv.write = write
        stage.engine_kv.write(JOURNAL, stage.engine_kv.newest(JOURNAL), len(stage.engine_kv.versions[JOURNAL]))
        return write(path, data, cas)

    stage.creds_kv.write = at_the_same_time
    stage.sidecar().delete("crm", CALLER)
    assert stage.creds_kv.versions["creds/crm"][1:] == [{}]
    assert (stage.entry["state"], stage.entry["owed"]) == ("deleted", [])
