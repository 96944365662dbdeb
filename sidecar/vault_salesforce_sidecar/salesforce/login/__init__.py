"""How a connection's own identity logs in, by `auth_method`; how users' passwords are proven, by `password_login`.

`none` is not here: it has no identity.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.salesforce.interface import Session
from vault_salesforce_sidecar.salesforce.login import client_credentials, jwt_bearer, oauth_password, password
from vault_salesforce_sidecar.salesforce.login.entrance import Entrance


class Login(NamedTuple):
    """One method: `log_in` makes one login; `secrets_of` says with what, so that a refusal is not met again.

    `can_lock`: its failures may count towards a lockout, since it sends a password.
    """

    log_in: Callable[[Entrance, Config], Session]
    secrets_of: Callable[[Config], tuple[SecretStr, ...]]
    can_lock: bool = False


METHODS: Mapping[str, Login] = {
    "password": Login(password.log_in, password.secrets_of, can_lock=True),
    "jwt_bearer": Login(jwt_bearer.log_in, jwt_bearer.secrets_of),
    "client_credentials": Login(client_credentials.log_in, client_credentials.secrets_of),
    "oauth_password": Login(oauth_password.log_in, oauth_password.secrets_of, can_lock=True),
}

PASSWORD_LOGINS: Mapping[str, Callable[[Entrance, Config, str, SecretStr], Session]] = {
    "soap": password.log_in_user,
    "oauth": oauth_password.log_in_user,
}
