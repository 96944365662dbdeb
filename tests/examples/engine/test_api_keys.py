import asyncio

import pytest
from api_keys import Keys

from vault_plugin_sdk.engine import CallerError
from vault_plugin_sdk.testing import Mounted


def test_a_key_lives_as_long_as_its_lease():
    async def scenario():
        async with Mounted(Keys()) as mounted:
            await mounted.write("roles/crm", scopes="read,write", ttl="5m")
            answer = await mounted.read("creds/crm")
            stored = f"keys/{answer.data['api_key']}"
            assert mounted.storage.entries[stored] == b"read,write"

            renewed = await mounted.renew("creds/crm", answer.lease, increment_seconds=60)
            assert renewed.ttl_seconds == 60
            await mounted.revoke("creds/crm", renewed)
            await mounted.revoke("creds/crm", renewed)
            assert stored not in mounted.storage.entries

    asyncio.run(scenario())


def test_a_role_that_is_not_there_is_named():
    async def scenario():
        async with Mounted(Keys()) as mounted:
            await mounted.read("creds/crm")

    with pytest.raises(CallerError, match="there is no role 'crm'"):
        asyncio.run(scenario())
