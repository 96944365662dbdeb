"""The engine as a whole: what the server is told of it, and its help."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract import api
from vault_salesforce_plugin.backend import SalesforceBackend


def test_sidecars_and_published_credentials_are_root_paths_and_secrets_are_wrapped_by_the_seal():
    special = SalesforceBackend().special
    assert special.root == ("sidecar/*", "published/*", "reveal/*")
    assert special.seal_wrap == ("credentials/",)
    assert special.unauthenticated == ()


async def test_secrets_are_stored_nowhere_but_below_what_the_seal_wraps(plugin):
    await plugin.start()
    await plugin.publish()
    await plugin.register()
    await plugin.revoke((await plugin.ask("read", "creds/crm")).lease)
    await plugin.ask("read", "creds/crm")
    holding = [key for key, value in plugin.storage.entries.items() if b"secret-1" in value]
    assert holding == ["credentials/crm"]


async def test_help_tells_of_every_path_forwarded_ones_too(plugin):
    await plugin.start()
    text = (await plugin.ask("help", "")).data["help"]
    for description in api.TABLE:
        assert description.pattern in text
    assert "expected_version" in (await plugin.ask("help", "rotate/crm")).data["help"]
    with pytest.raises(CallerError):
        await plugin.ask("help", "nothing/of/the/kind")


async def test_the_openapi_document_tells_what_may_be_asked_of_every_path_forwarded_ones_too(plugin):
    await plugin.start()
    paths = (await plugin.ask("help", "")).data["openapi"]["paths"]
    for description in api.TABLE:
        assert {"get", "post", "delete"} & set(paths[f"/{description.pattern}"]), description.pattern
    assert set(paths["/static-roles/{name}"]) >= {"get", "post", "delete", "x-vault-createSupported"}
    assert "get" in paths["/static-roles/"]
    assert paths["/published/{role}"]["x-vault-sudo"]


def test_every_path_that_the_contract_gives_the_plugin_is_answered_by_it():
    answered = [path.description.pattern for path in SalesforceBackend().router.paths]
    assert sorted(answered) == sorted(description.pattern for description in api.PLUGIN_PATHS)
