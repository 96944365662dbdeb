"""`preflight-config/<name>` is described beside `preflight/<role>`, and answered by the same rows."""

from vault_plugin_sdk.logical.request import Operation
from vault_salesforce_sidecar.paths import preflight, preflight_config


def test_both_are_read_and_nothing_else():
    for path in (preflight.PATH, preflight_config.PATH):
        assert [operation for operation in Operation if path.handler(operation)] == [Operation.READ]
