"""Roles."""

from types import SimpleNamespace

import pytest

from vault_plugin_sdk.logical.errors import CallerError

USER = "erp@example.com"


def create(engine, name="erp", **fields):
    given = {"config": "org", "username": USER, "password": "right"} | fields
    return engine.ask("create", f"static-roles/{name}", **given)


def refused(engine, name="erp", **fields):
    with pytest.raises(CallerError) as caught:
        create(engine, name, **fields)
    return caught.value


def test_creating_proves_the_credential_and_warns_of_unleased_readers(engine, org):
    warnings = create(engine, security_token="tok").warnings
    assert warnings[0] == "proven"
    assert "do not hold a version" in warnings[1]
    (asked,) = engine.handed_in.asked
    assert (asked[:2], asked[2].reveal(), asked[3].reveal()) == (("enrol", "erp"), "right", "tok")


def test_without_lease_driven_rotation_there_is_nothing_to_warn_of(engine, org):
    assert create(engine, rotate_on_lease_end="never").warnings == ("proven",)


def test_what_was_written_is_read_without_its_secrets(engine, org):
    create(engine, rotation_period="24h")
    data = engine.ask("read", "static-roles/erp").data
    assert (data["username"], data["rotation_period"], data["ttl"]) == (USER, 86_400, 600)
    assert not {"password", "security_token"} & set(data)


def test_one_that_is_not_there_is_nothing(engine):
    assert engine.ask("read", "static-roles/erp").data is None
    assert engine.ask("list", "static-roles/").data is None
    engine.ask("delete", "static-roles/erp")
    assert engine.rotations.asked == []


def test_roles_are_listed_with_their_states_but_no_deleted_ones(engine, crm):
    create(engine)
    create(engine, "gone", username="gone@example.com")
    engine.ask("delete", "static-roles/gone")
    engine.rotations.known["crm"] = SimpleNamespace(state="ok")
    data = engine.ask("list", "static-roles/").data
    assert data == {"keys": ["crm", "erp"], "key_info": {"crm": {"state": "ok"}}}


@pytest.mark.parametrize(
    ("given", "status", "sentence"),
    [
        ({"config": "nowhere"}, 400, "no connection config/nowhere"),
        ({"username": "a b"}, 400, "username must be a login name"),
        ({"username": f"{'x' * 69}@example.com"}, 400, "username must be a login name"),
        ({"username": "crm"}, 400, "username must be a login name"),
        ({"config": "../roles"}, 400, "config must be a name"),
        ({"password": "right\nwrong"}, 400, "password must be one line.*line breaks in a file"),
        ({"password_policy": "../../x"}, 400, "password_policy must be a name"),
        ({"password_policy": "nope"}, 400, "no password policy 'nope'"),
        ({"rotation_period": "24h", "rotation_schedule": "0 3 * * *"}, 400, "either rotation_period or"),
        ({"rotation_period": "59s"}, 400, "rotation_period must be at least 60"),
        ({"rotation_schedule": "every day"}, 400, "not a cron expression"),
        ({"rotation_window": "1h"}, 400, "rotation_window needs a rotation_schedule"),
        ({"rotation_time_zone": "Asia/Tokyo"}, 400, "rotation_time_zone needs a rotation_schedule"),
        ({"rotation_schedule": "0 3 30 2 *"}, 400, "rotation_schedule never comes"),
        (
            {"rotation_schedule": "0 3 * * *", "rotation_time_zone": "europe/berlin"},
            400,
            "did you mean Europe/Berlin",
        ),
        ({"ttl": "2h", "max_ttl": "1h"}, 400, "ttl must not be longer"),
        ({"security_token_from": "mailbox"}, 400, "needs the mailbox of config/org"),
        ({"self_managed": False}, 409, "needs an identity"),
        ({"ttl": "2h", "max_ttl": "1h", "rotation_schedule": "x"}, 400, "cron.*; ttl must"),
    ],
)
def test_a_wrong_role_is_refused_before_any_login(engine, org, given, status, sentence):
    with pytest.raises(CallerError, match=sentence) as caught:
        create(engine, **given)
    assert caught.value.status == status
    assert engine.handed_in.asked == []


def test_a_password_policy_is_looked_for_when_it_is_named_and_not_again(engine, org):
    create(engine, password_policy="strong")
    engine.require_password_policy = None
    engine.ask("update", "static-roles/erp", ttl="5m")
    assert engine.roles.get("erp").record.password_policy == "strong"


def test_a_connection_says_which_roles_may_use_it(engine):
    engine.ask("update", "config/org", login_url="https://a.my.salesforce.com", allowed_roles="crm-*")
    assert refused(engine).code == "not_allowed"
    create(engine, "CRM-a")


def test_an_identity_says_whose_passwords_it_may_set(engine):
    admin = {"auth_method": "password", "username": "admin@example.com", "password": "p"}
    url = "https://a.my.salesforce.com"
    engine.ask("update", "config/org", login_url=url, allowed_roles="*", admin_may_rotate="crm@*", **admin)
    assert refused(engine, self_managed=False).code == "not_allowed"
    create(engine, username="crm@example.com", self_managed=False)


def test_names_differ_by_more_than_case(engine, crm):
    error = refused(engine, "CRM")
    assert (error.status, "static-roles/crm" in error.sentence) == (409, True)


def test_a_second_role_on_one_account_names_the_first(engine, crm):
    error = refused(engine, username="CRM@example.com")
    assert (error.status, "static-roles/crm" in error.sentence) == (409, True)
    create(engine)  # its name is free all the same


def test_a_connections_own_user_is_no_role(engine, org):
    admin = {"auth_method": "password", "username": USER, "password": "p"}
    engine.ask("update", "config/other", login_url="https://a.my.salesforce.com", **admin)
    assert "config/other" in refused(engine).sentence


def test_a_refused_login_stores_nothing_and_claims_nothing(engine, org):
    assert refused(engine, password="wrong").code == "INVALID_LOGIN"
    assert engine.ask("read", "static-roles/erp").data is None
    create(engine, "other")


def test_a_write_to_a_role_changes_it_without_a_login(engine, crm):
    engine.ask("update", "static-roles/crm", ttl="5m")
    assert engine.ask("read", "static-roles/crm").data["ttl"] == 300
    assert engine.handed_in.asked[-1][:2] == ("update", "crm")


@pytest.mark.parametrize("change", [{"username": "other@example.com"}, {"config": "elsewhere"}])
def test_whose_password_it_is_never_changes(engine, crm, change):
    with pytest.raises(CallerError, match="cannot be changed"):
        engine.ask("update", "static-roles/crm", **change)


def test_a_deleted_roles_name_and_account_are_free(engine, crm):
    engine.ask("delete", "static-roles/crm")
    assert engine.rotations.asked == [("delete", "crm")]
    create(engine, "CRM", username="crm@example.com")


def test_a_period_gives_way_to_a_schedule_and_a_schedule_to_a_period(engine, org):
    create(engine, rotation_period="24h")
    zone = "Asia/Tokyo"
    engine.ask(
        "update", "static-roles/erp", rotation_schedule="0 3 * * *", rotation_window="1h", rotation_time_zone=zone
    )
    role = engine.roles.get("erp").record
    assert (role.rotation_period, role.rotation_schedule, role.rotation_window) == (None, "0 3 * * *", 3600)
    engine.ask("update", "static-roles/erp", rotation_period="12h")
    role = engine.roles.get("erp").record
    assert (role.rotation_period, role.rotation_schedule, role.rotation_window) == (43_200, "", None)
    assert role.rotation_time_zone == "UTC"
