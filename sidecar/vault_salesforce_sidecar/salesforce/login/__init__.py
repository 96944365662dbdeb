"""How a connection's own identity logs in, by `auth_method`. `none` is not here: it has no identity."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.interface import Org, Session
from vault_salesforce_sidecar.salesforce.login import password


class Login(NamedTuple):
    """One method: `log_in` makes one login; `secrets_of` says with what, so that a refusal is not met again."""

    log_in: Callable[[Org, Config], Session]
    secrets_of: Callable[[Config], tuple[SecretStr, ...]]


METHODS: Mapping[str, Login] = {
    "password": Login(password.log_in, password.secrets_of),
}
