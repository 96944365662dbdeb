"""The OAuth endpoints: what they answer, and that a grant is a session."""

import base64
import hashlib
import hmac

import pytest

HOST = "http://crm.my.salesforce.com"


@pytest.fixture
def granted(oauth):
    """A simulator and the answer to a grant by assertion."""
    return oauth, oauth.by_assertion(oauth.app).get_json()


def test_a_grant_by_assertion_has_the_documented_members_and_no_end(granted):
    sim, answer = granted
    assert sorted(answer) == ["access_token", "id", "instance_url", "scope", "token_type"]
    assert (answer["token_type"], answer["scope"]) == ("Bearer", "api refresh_token")
    assert answer["instance_url"] == HOST
    assert answer["id"] == f"{HOST}/id/{sim.org.id}/{sim.user(sim.app).id}"


def test_a_grant_by_secret_is_signed_with_it(oauth):
    answer = oauth.by_client().get_json()
    signed = hmac.digest(oauth.secret.encode(), (answer["id"] + answer["issued_at"]).encode(), hashlib.sha256)
    assert base64.b64decode(answer["signature"]) == signed
    assert "expires_in" not in answer


def test_the_access_token_is_a_session_in_rest_and_in_soap(granted):
    sim, answer = granted
    assert sim.query(answer["access_token"], "SELECT Username FROM User WHERE Username = ?", sim.app)
    user_info = sim.soap("getUserInfo", answer["access_token"])
    assert user_info.text("userName") == sim.app
    changed = sim.soap(
        "changeOwnPassword", answer["access_token"], oldPassword="First-pass-1", newPassword="Next-pass-2"
    )
    assert changed.status == 200


def test_the_org_may_name_another_address_for_further_calls(oauth):
    oauth.control("PATCH", "/org", {"instance_url": "https://crm.my.salesforce.com"})
    assert oauth.by_client().get_json()["instance_url"] == "https://crm.my.salesforce.com"
    assert oauth.log_in(oauth.app).text("serverUrl").startswith("https://crm.my.salesforce.com/services/Soap/u/")


def test_a_revoked_token_is_dead_and_a_second_revocation_says_so(granted):
    sim, answer = granted
    token = answer["access_token"]
    assert sim.post("revoke", token=token).status_code == 200
    assert sim.rest("GET", "/v68.0/limits", token).status_code == 401
    again = sim.post("revoke", token=token)
    assert (again.status_code, again.get_json()["error"]) == (400, "invalid_token")


def test_introspection_wants_the_secret_and_tells_of_living_tokens_only(granted):
    sim, answer = granted
    client = {"client_id": sim.client_id, "client_secret": sim.secret}
    told = sim.post("introspect", token=answer["access_token"], **client).get_json()
    assert (told["active"], told["username"], told["client_id"]) == (True, sim.app, sim.client_id)
    assert told["exp"] - told["iat"] == 7200
    assert sim.post("introspect", token="dead", **client).get_json() == {"active": False}
    refused = sim.post("introspect", token="dead", client_id=sim.client_id, client_secret="wrong")
    assert refused.get_json()["error"] == "invalid_client"


def test_userinfo_and_the_identity_address_tell_whose_token_it_is(granted):
    sim, answer = granted
    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    for path in ("/services/oauth2/userinfo", answer["id"].removeprefix(HOST)):
        assert sim.vendor.get(path, headers=headers).get_json()["username"] == sim.app
    stranger = f"/id/{sim.org.id}/{sim.user(sim.admin).id}"
    assert sim.vendor.get(stranger, headers=headers).status_code == 403
    assert sim.vendor.get("/services/oauth2/userinfo").status_code == 403


def test_a_wrong_secret_has_the_status_that_the_org_is_set_to(oauth):
    assert oauth.by_client(secret="wrong").status_code == 400
    oauth.control("PATCH", "/org", {"invalid_client_status": 401})
    assert oauth.by_client(secret="wrong").status_code == 401


@pytest.mark.parametrize("switch", ["org_locked", "trial_expired", "moved"])
def test_an_org_that_is_closed_is_inactive_to_oauth(oauth, switch):
    oauth.control("PATCH", "/org", {switch: True})
    assert oauth.by_client().get_json()["error"] == "inactive_org"


def test_a_fault_of_the_platform_is_a_server_error(oauth):
    oauth.control("PATCH", "/misbehave", {"refuse_before": "UNKNOWN_EXCEPTION"})
    answer = oauth.by_client()
    assert (answer.status_code, answer.get_json()["error"]) == (500, "server_error")


def test_no_token_is_in_the_list_of_requests(granted):
    sim, answer = granted
    sim.post("revoke", token=answer["access_token"])
    listed = sim.control("GET", "/requests")
    assert [entry["operation"] for entry in listed] == ["token", "revoke"]
    assert listed[0]["username"] == sim.app
    assert answer["access_token"] not in str(listed)
