"""Whatever an org is set to: rotated and proven, refused before anything changed, or parked with every secret kept."""

import pytest
from combinations import (
    ADMINISTRATOR,
    APP,
    ORG,
    PARKED,
    ROTATED,
    UNCHANGED,
    USER,
    Setting,
    Tokens,
    Way,
    combinations,
    end_of,
)
from deployment import PASSWORD, TOKEN, USERNAME, Deployment, Simulator

from vault_plugin_sdk.logical.errors import EngineError

HOUR = 3600.0
MOST_LOGINS = 3


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """An org of this test process."""
    made = Simulator(tmp_path_factory.mktemp("mail") / "box")
    yield made
    made.stop()


@pytest.mark.parametrize(
    ("setting", "way", "tokens"),
    [pytest.param(*one, id=" | ".join(part.name for part in one)) for one in combinations()],
)
def test_every_combination_ends_well(simulator: Simulator, setting: Setting, way: Way, tokens: Tokens):
    simulator.anew({**ORG, **tokens.org}, [USER | {"password_age_days": setting.age_days}, ADMINISTRATOR], [APP])
    deployment = Deployment(
        simulator, {**way.config, **tokens.config}, {**way.role, "security_token_from": tokens.source}
    )
    try:
        deployment.enrol(TOKEN if tokens.waits or tokens.source != "none" else None)
        deployment.clock.seconds += HOUR
        turn(simulator, setting, tokens)
        counters = simulator.user().counters
        logins, changes = counters.logins, counters.password_changes
        refused = deployment.rotate()
        hand_in(deployment, tokens)
        live, state = simulator.user().password, deployment.entry["state"]
        told = (state, deployment.entry["fault_code"], refused)

        assert counters.lockouts == 0, told
        assert counters.logins - logins <= MOST_LOGINS, told
        assert live in deployment.kept, told
        match end_of(setting, way, tokens):
            case end if end == ROTATED:
                assert (state, refused, counters.password_changes) == ("settled", None, changes + 1), told
                assert deployment.published["password"] == live != PASSWORD
                assert_proven(simulator, deployment, setting, way, tokens)
            case end if end == UNCHANGED:
                assert refused is not None or state in ("withdrawn", "stuck"), told
                assert counters.password_changes == changes, told
                assert deployment.published["password"] == live == PASSWORD
                assert refused is not None or deployment.entry["fault_code"], told
            case end if end == PARKED:
                assert state in ("stuck", "awaiting_token"), told
                assert deployment.rotations.status("crm").next_step, told
    finally:
        deployment.close()


def assert_proven(simulator, deployment, setting, way, tokens):
    """By a login of ours, or where there is none by the org's record; with the token that a consumer needs."""
    evidence, token = deployment.entry["evidence"], deployment.published["security_token"]
    assert evidence == ("record" if way.kind in setting.no_login | setting.by_record else "login")
    if not tokens.waits:
        assert token == ""
    elif evidence == "login" and not tokens.org["trusted_ranges"]:
        assert token == simulator.user().security_token


def turn(simulator, setting, tokens):
    """The org becomes what the setting says."""
    if setting.org:
        simulator.control("PATCH", "/org", {**setting.org, **tokens.org})
    user = dict(setting.user)
    if "login_hours" in user:  # whatever the hour is: not this one
        hour = (deployment_hour(simulator) + 12) % 23
        user["login_hours"] = [hour, hour + 1]
    if user:
        simulator.control("PATCH", f"/users/{USERNAME}", user)
    if setting.app:
        simulator.control("PATCH", f"/apps/{APP['client_id']}", dict(setting.app))


def deployment_hour(simulator):
    """The hour of the org's day."""
    return simulator.clock.now().hour


def hand_in(deployment, tokens):
    """Where a person has the new token, they hand it in; that no login is left for it is an answer too."""
    if deployment.entry["state"] != "awaiting_token" or tokens.source != "manual":
        return
    try:
        deployment.hand_in_token()
    except EngineError:
        assert deployment.entry["state"] in ("awaiting_token", "stuck")
