"""`static-creds/<role>`: reads without a lease."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError, ForwardToActive, OperatorError, TransientError
from vault_salesforce_contract.registration import Held, digests, in_parts


def digests_of(**held):
    return digests(in_parts(held))


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


async def test_no_secret_is_ever_a_number_for_the_audit_device_writes_those_in_clear(plugin):
    await plugin.start()
    next_rotation = "2030-01-02T12:00:00Z"
    await plugin.publish(password=12345678, security_token=99, rotation_period=86_400, next_rotation=next_rotation)
    data = (await plugin.ask("read", "static-creds/crm")).data
    assert (data["password"], data["security_token"], data["password_token"]) == ("12345678", "99", "1234567899")
    numbers = {name: value for name, value in data.items() if not isinstance(value, str)}
    assert numbers == {"version": 1, "rotation_period": 86_400, "ttl": 86_400}


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
    await plugin.register(published=())
    with pytest.raises(TransientError, match="not published here yet") as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 503
    await plugin.register(published=digests_of(erp=Held(1, "rotation-1")))
    with pytest.raises(CallerError, match="no published role 'crm'") as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 404


async def test_once_all_that_a_sidecar_has_was_handed_over_an_unknown_role_is_404_before_the_next_heartbeat(plugin):
    await plugin.start()
    await plugin.register(published=digests_of(erp=Held(1, "rotation-1")))
    with pytest.raises(TransientError):
        await plugin.ask("read", "static-creds/crm")
    await plugin.publish("erp")
    with pytest.raises(CallerError) as refused:
        await plugin.ask("read", "static-creds/crm")
    assert refused.value.status == 404


async def test_a_sidecar_that_knows_less_than_is_held_here_finds_nothing_lacking_and_unknown_roles_are_404(plugin):
    await plugin.start()
    await plugin.publish("erp")
    behind = digests_of()
    await plugin.register(published=behind)
    with pytest.raises(TransientError):
        await plugin.ask("read", "static-creds/crm")
    await plugin.register(published=behind, lacking=0)
    with pytest.raises(CallerError, match="no published role"):
        await plugin.ask("read", "static-creds/crm")


async def test_one_sidecar_that_finds_a_copy_lacking_is_enough_for_503(plugin, clock):
    await plugin.start()
    await plugin.publish("erp")
    ours = digests_of(erp=Held(1, "rotation-1"))
    await plugin.register("one", published=ours)
    more = digests_of(erp=Held(1, "rotation-1"), crm=Held(1, "rotation-1"))
    await plugin.register("two", published=more)
    await plugin.register("two", published=more, lacking=1)
    with pytest.raises(TransientError) as refused:
        await plugin.ask("read", "static-creds/crm")
    assert (refused.value.code, refused.value.retry_after_seconds) == ("not_published_yet", 10)
    clock.advance(61)  # whoever is gone hands nothing over
    with pytest.raises(CallerError):
        await plugin.ask("read", "static-creds/crm")


async def test_a_copy_that_somebody_removed_is_missing_and_not_unknown(plugin):
    await plugin.start()
    await plugin.publish("crm")
    ours = digests_of(crm=Held(1, "rotation-1"))
    await plugin.register(published=ours, lacking=0)
    await plugin.ask("delete", "published/crm")
    for said in (0, 1):  # what it found before, and what it finds now
        with pytest.raises(TransientError, match="not published here yet"):
            await plugin.ask("read", "static-creds/crm")
        await plugin.register(published=ours, lacking=said)
    with pytest.raises(TransientError, match="not published here yet"):
        await plugin.ask("read", "static-creds/crm")
    await plugin.publish("crm")
    assert (await plugin.ask("read", "static-creds/crm")).data["version"] == 1


async def test_a_copy_that_came_and_went_since_the_last_heartbeat_is_missing_and_not_unknown(plugin):
    await plugin.start()
    await plugin.register(published=digests_of())
    await plugin.publish("crm")
    await plugin.ask("delete", "published/crm")
    with pytest.raises(TransientError, match="not published here yet"):
        await plugin.ask("read", "static-creds/crm")


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
