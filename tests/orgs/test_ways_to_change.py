"""An expired password, a leaked one and one that nobody knows, on a simulator that really listens."""

import pytest
from combinations import ADMINISTRATOR, APP, ORG, TRUSTED, USER, WAYS
from combinations import IDENTITY as BY_IDENTITY
from deployment import ADMIN, ADMIN_PASSWORD, USERNAME, Deployment, Simulator
from fakes import CALLER

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.mending import Mending

HOUR = 3600.0
IDENTITY = {
    "auth_method": "password",
    "username": ADMIN,
    "password": ADMIN_PASSWORD,
    "admin_may_rotate": ["*@acme.example"],
}
OWN = [way for way in WAYS if way.kind != BY_IDENTITY]


@pytest.fixture(scope="module")
def simulator(tmp_path_factory):
    """An org of this test process."""
    made = Simulator(tmp_path_factory.mktemp("mail") / "box")
    yield made
    made.stop()


@pytest.fixture
def deploy(simulator):
    """Makes a role at version 1, an hour old, in an org that trusts the sidecar."""
    made = []

    def deploy(way, config=(), org=()):
        simulator.anew({**ORG, **TRUSTED, **dict(org)}, [{**USER, "password_age_days": 2}, ADMINISTRATOR], [APP])
        settings = {**way.config, "sidecar_address": "trusted", **dict(config)}
        made.append(Deployment(simulator, settings, {"security_token_from": "none", **way.role}))
        made[-1].enrol(None)
        made[-1].clock.seconds += HOUR
        return made[-1]

    yield deploy
    for deployment in made:
        deployment.close()


def is_live(deployment):
    """Whether what apps read is what the org takes, and nobody was locked."""
    user = deployment.simulator.user()
    return user.password == deployment.published["password"] and user.counters.lockouts == 0


@pytest.mark.parametrize("may_change", [True, False], ids=["changed", "set"])
@pytest.mark.parametrize("way", OWN, ids=lambda way: way.name)
def test_an_expired_password_rotates_itself(simulator, deploy, way, may_change):
    deployment = deploy(way, org={"expired_session_may_change_own": may_change, "password_policy": {}})
    simulator.control("PATCH", "/org", {"password_policy": {"password_expiration": 1}})
    assert deployment.rotate() is None
    row = deployment.rotations.history("crm")[0]
    assert (row.outcome, row.way == "own_expired") == ("settled", not may_change), row
    assert is_live(deployment)


@pytest.mark.parametrize("how", ["set", "reset"])
@pytest.mark.parametrize("by_soap", [True, False], ids=["SOAP", "REST"])
@pytest.mark.parametrize("way", OWN, ids=lambda way: way.name)
def test_a_password_that_nobody_knows_is_mended(deploy, way, by_soap, how):
    deployment = deploy(way, {**IDENTITY, "set_password_by": "soap" if by_soap else "rest"})
    deployment.simulator.control("PATCH", f"/users/{USERNAME}", {"password": "By-hand-and-lost-1"})
    deployment.rotate()
    assert deployment.entry["state"] == "stuck"
    before = deployment.simulator.user().counters.logins
    assert Mending(deployment.rotations).mend("crm", CALLER, how, 0).done
    assert is_live(deployment)
    assert deployment.simulator.user().counters.logins - before <= 3
    assert deployment.rotations.history("crm")[0].way == f"admin_{how}"


@pytest.mark.parametrize("administered", [True, False])
@pytest.mark.parametrize("way", OWN, ids=lambda way: way.name)
def test_a_leaked_password_takes_its_sessions_with_it(simulator, deploy, way, administered):
    deployment = deploy(way, IDENTITY if administered else {})
    org = deployment.orgs.open(deployment.config)
    stolen = org.log_in(USERNAME, SecretStr(deployment.published["password"]), None)
    assert org.find_user(stolen, USERNAME) is not None
    deployment.rotations.rotate("crm", CALLER, end_sessions=True)
    row = deployment.rotations.history("crm")[0]
    assert row.sessions.endswith(" ended"), row
    assert not row.sessions.startswith("0 "), row
    with pytest.raises(Exception, match="INVALID_SESSION_ID"):
        org.find_user(stolen, USERNAME)
    assert is_live(deployment)
