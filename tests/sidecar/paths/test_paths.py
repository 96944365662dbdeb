"""The table of paths."""

from vault_salesforce_contract.api import SIDECAR_PATHS
from vault_salesforce_sidecar.paths import PATHS


def test_every_path_of_the_contract_is_answered():
    assert tuple(path.description for path in PATHS) == SIDECAR_PATHS
