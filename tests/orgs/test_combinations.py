"""Whatever an org is set to: rotated and proven, refused before anything changed, or parked with every secret kept."""

from itertools import product

import pytest
from combinations import ADMINISTRATOR, APP, ORG, SETTINGS, TOKENS, USER, WAYS, Setting, Tokens, Way
from deployment import PASSWORD, TOKEN, Deployment, Simulator

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
    [
        pytest.param(*combination, id=" | ".join(one.name for one in combination))
        for combination in product(SETTINGS, WAYS, TOKENS)
    ],
)
def test_every_combination_ends_well(simulator: Simulator, setting: Setting, way: Way, tokens: Tokens):
    simulator.anew({**ORG, **tokens.org}, [{**USER, "password_age_days": setting.age_days}, ADMINISTRATOR], [APP])
    deployment = Deployment(
        simulator, {**way.config, **tokens.config}, {**way.role, "security_token_from": tokens.source}
    )
    try:
        deployment.enrol(TOKEN if tokens.needed or tokens.source != "none" else None)
        deployment.clock.seconds += HOUR
        if setting.org:
            simulator.control("PATCH", "/org", {**setting.org, **tokens.org})
        if setting.user:
            simulator.control("PATCH", f"/users/{simulator.user().username}", dict(setting.user))
        counters = simulator.user().counters
        before = counters.logins, counters.lockouts, counters.password_changes
        if setting.app:
            simulator.control("PATCH", f"/apps/{APP['client_id']}", dict(setting.app))
        refused = deployment.rotate()
        if refused is None and deployment.entry["state"] == "awaiting_token" and tokens.source == "manual" and simulator.user().security_token:
            deployment.hand_in_token()
        print(setting.name, way.name, tokens.name, deployment.entry["state"], deployment.entry["fault_code"], refused,
              "changes", counters.password_changes - before[2], "logins", counters.logins - before[0])
        user = simulator.user()
        assert counters.lockouts == before[1]
        assert counters.logins - before[0] <= MOST_LOGINS
        state = deployment.entry["state"]
        assert user.password in deployment.kept
        if state == "settled" and refused is None:
            assert counters.password_changes == before[2] + 1
            assert deployment.published["password"] == user.password != PASSWORD
        elif refused is not None or state == "withdrawn":
            assert counters.password_changes == before[2]
            assert deployment.published["password"] == user.password == PASSWORD
        else:
            assert state in ("stuck", "awaiting_token")
    finally:
        deployment.close()
