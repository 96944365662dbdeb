"""The account of a role."""

from dataclasses import replace

import pytest
from stage import Stage

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.rotation.parts import open_account


def test_what_has_left_is_finished_without_a_mailbox_that_is_no_longer_allowed():
    def refuse(_):
        raise CallerError("mailbox must lead below the directory that the sidecar's settings allow")

    stage = Stage(token_from="mailbox", untrusted=True)
    parts = replace(stage.enrolled().carrier.parts, open_mailbox=refuse)
    with pytest.raises(CallerError, match="mailbox"):
        open_account(parts, "crm")
    assert open_account(parts, "crm", checked=False).mailbox is None
