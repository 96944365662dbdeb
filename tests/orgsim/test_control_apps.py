"""Apps at the control port."""


def test_apps_are_shown_without_their_secrets(oauth):
    (shown,) = oauth.control("GET", "/apps")
    assert shown == oauth.control("GET", f"/apps/{oauth.client_id}")
    assert (shown["client_id"], shown["flows"]) == (oauth.client_id, ["jwt_bearer", "client_credentials"])
    assert oauth.secret not in str(shown)


def test_an_app_is_added_and_changed(sim):
    sim.control("POST", "/apps", {"client_id": "key-2", "client_secret": "s", "run_as": sim.admin}, status=201)
    sim.control("POST", "/apps", {"client_id": "key-2"}, status=409)
    form = {"grant_type": "client_credentials", "client_id": "key-2", "client_secret": "s"}
    assert sim.vendor.post("/services/oauth2/token", data=form).status_code == 200
    assert sim.control("PATCH", "/apps/key-2", {"client_secret": "t", "name": "Other"})["name"] == "Other"
    assert sim.vendor.post("/services/oauth2/token", data=form).status_code == 400
    assert sim.vendor.post("/services/oauth2/token", data={**form, "client_secret": "t"}).status_code == 200


def test_what_cannot_be_done_is_said(sim):
    sim.control("GET", "/apps/none", status=404)
    sim.control("POST", "/apps", {"name": "no key"}, status=400)
    sim.control("POST", "/apps", {"client_id": "k", "certificate": "nonsense"}, status=400)
    sim.control("POST", "/apps", {"client_id": "key-3"}, status=201)
    sim.control("PATCH", "/apps/key-3", {"client_id": "other"}, status=400)
    sim.control("PATCH", "/apps/key-3", {"flows": ["browser"]}, status=400)


def test_a_reset_forgets_the_apps_of_the_tests(oauth):
    oauth.control("POST", "/apps", {"client_id": "key-2"}, status=201)
    oauth.control("POST", "/reset")
    assert [app["client_id"] for app in oauth.control("GET", "/apps")] == [oauth.client_id]
