"""The token endpoint of an org without apps."""


def test_the_password_grant_is_blocked_and_reads_like_a_wrong_password(sim):
    form = {"grant_type": "password", "username": sim.app, "password": "First-pass-1" + "T" * 24}
    answer = sim.vendor.post("/services/oauth2/token", data=form)
    assert answer.status_code == 400
    assert answer.get_json() == {"error": "invalid_grant", "error_description": "authentication failure"}
    row = sim.org.history[-1]
    assert (row.status, row.login_type) == ("Username-Password Flow Disabled", "Remote Access 2.0")
    assert sim.user(sim.app).failed_count == 0


def test_other_grants_are_not_supported(sim):
    answer = sim.vendor.post("/services/oauth2/token", data={"grant_type": "client_credentials"})
    assert (answer.status_code, answer.get_json()["error"]) == (400, "unsupported_grant_type")
    assert sim.vendor.get("/services/oauth2/token").get_json()["error"] == "unsupported_grant_type"
