"""`static-creds/<role>`: reads without a lease."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError, TransientError
from vault_salesforce_contract.registration import Held, digest


async def test_readers_get_the_credential_without_a_lease_and_without_a_sidecar(plugin):
    await plugin.start()
    await plugin.publish()
    answer = await plugin.ask("read", "static-creds/crm")
    assert answer.lease is None
    assert answer.warnings == ()
    assert answer.data == {
        "username": "app@example.com",
        "password": "secret-1",
        "security_token": "token",
        "password_token": "secret-1token",
        "login_url": "https://login.example.com",
        "instance_url": "",
        "organization_id": "",
        "version": 1,
        "last_vault_rotation": "2030-01-01T12:00:00Z",
    }


async def test_during_a_change_the_answer_is_the_same_with_a_warning(plugin):
    await plugin.start()
    await plugin.publish()
    calm = await plugin.ask("read", "static-creds/crm")
    await plugin.register(changing=["crm"])
    answer = await plugin.ask("read", "static-creds/crm")
    assert answer.data == calm.data
    assert "test/version/crm" in answer.warnings[0]


async def test_an_unknown_role_is_503_until_a_sidecar_has_handed_everything_over_and_404_from_then_on(plugin):
    await plugin.start()
    with pytest.raises(OperatorError, match="no sidecar has registered") as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 503
    await plugin.publish("erp")
    told = await plugin.register(published="of something else")
    with pytest.raises(TransientError, match="not published here yet") as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 503
    await plugin.register(published=digest(told.held.items()))
    with pytest.raises(CallerError, match="no published role 'crm'") as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 404


async def test_once_all_that_a_sidecar_has_was_handed_over_an_unknown_role_is_404_before_the_next_heartbeat(plugin):
    await plugin.start()
    await plugin.register(published=digest([("erp", Held(1, "rotation-1"))]))
    with pytest.raises(TransientError):
        await plugin.ask("read", "static-creds/crm")
    await plugin.publish("erp")
    with pytest.raises(CallerError) as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 404


async def test_a_standby_serves_what_it_has_and_asks_the_active_node_for_the_rest(plugin, mounted):
    await plugin.start()
    await plugin.publish()
    standby = mounted(plugin.storage, standby=True)
    await standby.start()
    assert (await standby.ask("read", "static-creds/crm")).data["version"] == 1
    with pytest.raises(ForwardToActive):
        await standby.ask("read", "static-creds/erp")
    plugin.storage.read_only = False
    await plugin.publish(version=2)
    await standby.engine.invalidate("credentials/crm")
    assert (await standby.ask("read", "static-creds/crm")).data["version"] == 2


@pytest.mark.parametrize("role", ["", "-x", "a b", "x" * 129, "ä"])
async def test_a_name_is_a_name(plugin, role):
    await plugin.start()
    with pytest.raises(CallerError) as refused:
        await plugin.ask("read", f"static-creds/{role}")
    assert refused.value.status == 400
