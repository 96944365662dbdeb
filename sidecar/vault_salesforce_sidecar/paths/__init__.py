"""The paths that the sidecar answers, each bound to its Description in the contract."""

from vault_plugin_sdk.framework.path import Path
from vault_salesforce_sidecar.paths import (
    config,
    history,
    hold,
    preflight,
    preflight_config,
    resync,
    reveal,
    rotate,
    security_token,
    static_roles,
    status,
    unlock,
)

PATHS: tuple[Path, ...] = (
    config.PATH,
    static_roles.PATH,
    rotate.PATH,
    security_token.PATH,
    resync.PATH,
    unlock.PATH,
    reveal.PATH,
    *hold.PATHS,
    preflight.PATH,
    preflight_config.PATH,
    status.PATH,
    history.PATH,
)
