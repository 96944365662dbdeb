"""The health check, which shows the password policy."""

RISKS = "SELECT Setting, SettingGroup, OrgValue, OrgValueRaw, StandardValue, RiskType FROM SecurityHealthCheckRisks"


def tooling(sim, session, text):
    return sim.rest("GET", "/v68.0/tooling/query", session, query_string={"q": text})


def test_the_policy_of_the_org_is_shown_beside_the_baseline(sim):
    sim.control("PATCH", "/org", {"password_policy": {"max_login_attempts": 3, "password_expiration": 0}})
    records = tooling(sim, sim.session(sim.admin), RISKS).get_json()["records"]
    shown = {record["Setting"]: record for record in records if record["SettingGroup"] == "PasswordPolicies"}
    attempts, expiry = shown["Maximum invalid login attempts"], shown["User passwords expire in"]
    assert (attempts["OrgValue"], attempts["OrgValueRaw"], attempts["RiskType"]) == ("3", "3", "MEETS_STANDARD")
    assert (expiry["OrgValue"], expiry["RiskType"]) == ("Never expires", "HIGH_RISK")
    assert shown["Lockout effective period"]["OrgValueRaw"] == "15"


def test_the_score_follows(sim):
    session, text = sim.session(sim.admin), "SELECT Score FROM SecurityHealthCheck"
    before = int(tooling(sim, session, text).get_json()["records"][0]["Score"])
    sim.control("PATCH", "/org", {"password_policy": {"max_login_attempts": 3}})
    assert int(tooling(sim, session, text).get_json()["records"][0]["Score"]) > before


def test_the_health_check_needs_a_permission(sim):
    session = sim.session(sim.app)
    assert tooling(sim, session, RISKS).get_json()[0]["errorCode"] == "INVALID_TYPE"
    sim.control("PATCH", f"/users/{sim.app}", {"view_setup": True})
    assert tooling(sim, session, RISKS).status_code == 200
