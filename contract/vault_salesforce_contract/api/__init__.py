"""The paths of the mount: every Description in one table; help and documents are made from it."""

from vault_plugin_sdk.framework.path import Description
from vault_salesforce_contract.api.config import CONFIG
from vault_salesforce_contract.api.creds import CREDS
from vault_salesforce_contract.api.history import HISTORY
from vault_salesforce_contract.api.hold import HOLD, HOLD_ALL
from vault_salesforce_contract.api.info import INFO
from vault_salesforce_contract.api.preflight import PREFLIGHT
from vault_salesforce_contract.api.preflight_config import PREFLIGHT_CONFIG
from vault_salesforce_contract.api.published import PUBLISHED
from vault_salesforce_contract.api.resync import RESYNC
from vault_salesforce_contract.api.reveal import REVEAL
from vault_salesforce_contract.api.rotate import ROTATE
from vault_salesforce_contract.api.security_token import SECURITY_TOKEN
from vault_salesforce_contract.api.sidecar import SIDECAR
from vault_salesforce_contract.api.static_creds import STATIC_CREDS
from vault_salesforce_contract.api.static_roles import STATIC_ROLE
from vault_salesforce_contract.api.status import STATUS
from vault_salesforce_contract.api.unlock import UNLOCK
from vault_salesforce_contract.api.version import VERSION

# Answered by the plugin itself; everything else is forwarded to a sidecar.
PLUGIN_PATHS: tuple[Description, ...] = (STATIC_CREDS, CREDS, VERSION, INFO, SIDECAR, PUBLISHED)
SIDECAR_PATHS: tuple[Description, ...] = (
    CONFIG,
    STATIC_ROLE,
    ROTATE,
    SECURITY_TOKEN,
    RESYNC,
    UNLOCK,
    REVEAL,
    HOLD_ALL,
    HOLD,
    PREFLIGHT,
    PREFLIGHT_CONFIG,
    STATUS,
    HISTORY,
)
TABLE: tuple[Description, ...] = (*SIDECAR_PATHS, *PLUGIN_PATHS)
