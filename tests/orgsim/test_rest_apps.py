"""Reading and rotating an app's key and secret by REST."""

import pytest

BASE = "/v68.0/apps/oauth"


@pytest.fixture
def session(oauth):
    """The session of somebody who may, in an org that lets them."""
    oauth.control("PATCH", "/org", {"client_secret_api": True})
    oauth.control("PATCH", f"/users/{oauth.admin}", {"view_client_secret": True})
    return oauth.session(oauth.admin)


@pytest.fixture
def consumer(oauth, session):
    """The path of the app's one consumer."""
    (app,) = oauth.rest("GET", f"{BASE}/usage", session).get_json()["apps"]
    assert app["identifier"].startswith("0x")
    (found,) = oauth.rest("GET", f"{BASE}/credentials/{app['identifier']}", session).get_json()["consumers"]
    assert found["stagedCredentialsUrl"] == f"{found['url']}/staged"
    assert "secret" not in found
    return found["url"].removeprefix("/services/data")


def test_a_secret_is_shown_where_it_is_asked_for(oauth, session, consumer):
    assert "secret" not in oauth.rest("GET", consumer, session).get_json()
    shown = oauth.rest("GET", f"{consumer}?part=keyandsecret", session).get_json()
    assert (shown["key"], shown["secret"]) == (oauth.client_id, oauth.secret)


def test_a_pair_is_staged_tried_promoted_and_the_old_one_ended(oauth, session, consumer):
    staged = f"{consumer}/staged"
    (made,) = oauth.rest("POST", staged, session).get_json()["stagedCredentials"]
    assert made["state"] == "staged"
    new = {"grant_type": "client_credentials", "client_id": made["key"], "client_secret": made["secret"]}
    assert oauth.post("token", **new).status_code == oauth.by_client().status_code == 200
    again = oauth.rest("POST", staged, session)
    assert again.status_code == 400
    path = made["url"].removeprefix("/services/data")
    (old,) = oauth.rest("PATCH", path, session, json={"command": "rotate"}).get_json()["stagedCredentials"]
    assert (old["state"], old["key"]) == ("rotated", oauth.client_id)
    assert oauth.post("token", **new).status_code == oauth.by_client().status_code == 200
    path = old["url"].removeprefix("/services/data")
    assert oauth.rest("DELETE", path, session).status_code == 204
    assert oauth.rest("DELETE", path, session).status_code == 404
    assert oauth.by_client().get_json()["error"] == "invalid_client_id"
    assert oauth.post("token", **new).status_code == 200


def test_it_takes_the_orgs_switch_the_permission_and_the_version(oauth, session):
    assert oauth.rest("GET", "/v64.0/apps/oauth/usage", session).status_code == 404
    oauth.control("PATCH", "/org", {"client_secret_api": False})
    assert oauth.rest("GET", f"{BASE}/usage", session).status_code == 403
    oauth.control("PATCH", "/org", {"client_secret_api": True})
    assert oauth.rest("GET", f"{BASE}/usage", oauth.session(oauth.app)).status_code == 403


def test_what_is_not_there_is_not_found(oauth, session, consumer):
    assert oauth.rest("GET", f"{BASE}/credentials/0xInone", session).status_code == 404
    assert oauth.rest("DELETE", f"{consumer}/staged/none", session).status_code == 404
    assert oauth.rest("GET", f"{consumer}/staged", session).get_json() == {"stagedCredentials": []}
