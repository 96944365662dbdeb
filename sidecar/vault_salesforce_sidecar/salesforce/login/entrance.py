"""The two doors of an org, SOAP login() and the token endpoint, each passed once per call."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import LAST_LOGIN_VERSION, Config
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.salesforce import faults, oauth
from vault_salesforce_sidecar.salesforce.interface import OrgRefused, Session
from vault_salesforce_sidecar.salesforce.soap import Soap, endpoint
from vault_salesforce_sidecar.salesforce.transport import Redirected, Transport


class Entrance:
    """Opens sessions; raises OrgRefused, Lost and NotSent.

    A session on a host that the connection does not allow is refused: host_not_allowed.

    Args:
        config: The connection.
        transport: Carries the bytes.
        soap: The SOAP calls.
        clock: Dates assertions.
        seconds: Limit of every login.
    """

    def __init__(self, config: Config, transport: Transport, soap: Soap, clock: Clock, seconds: float) -> None:
        self._config, self._transport, self._soap, self._clock = config, transport, soap, clock
        self._seconds = seconds
        version = min(float(config.api_version), float(LAST_LOGIN_VERSION))
        self._login_address = endpoint(config.login_url, config.soap_endpoint, f"{version:.1f}")

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._clock.now().timestamp()

    def by_soap(self, username: str, secret: SecretStr) -> Session:
        """One SOAP login.

        Args:
            username: Login name.
            secret: Password with the security token right behind it.
        """
        with _at_this_host():
            result = self._soap.login(self._login_address, username, secret, self._seconds)
        return self._checked(
            Session(
                id=result.session_id,
                server_url=result.server_url,
                username=username,
                user_id=result.user_id,
                organization_id=result.organization_id,
                password_expired=result.password_expired,
                is_sandbox=result.is_sandbox,
            )
        )

    def by_grant(self, form: Mapping[str, str], username: str, *, with_password: bool = False) -> Session:
        """One grant of the token endpoint.

        Its session serves SOAP as well as REST. That the user's password has expired shows at its first call alone,
        which is refused with INVALID_OPERATION_WITH_EXPIRED_PASSWORD.

        Args:
            form: What is sent.
            username: Whose session it will be; empty where the app decides it.
            with_password: It is a grant by the user's password, which a refusal may judge.
        """
        request = oauth.token_request(self._config.login_url, form)
        with _at_this_host():
            answer = self._transport.send(request, self._seconds)
        got = oauth.granted(answer, with_password=with_password)
        address = endpoint(got.instance_url, self._config.soap_endpoint, self._config.api_version)
        return self._checked(
            Session(
                id=got.access_token,
                server_url=f"{address}/{got.organization_id[:15]}",
                username=username,
                user_id=got.user_id,
                organization_id=got.organization_id,
            )
        )

    def _checked(self, session: Session) -> Session:
        server_url = self._transport.at_its_port(session.server_url)
        if not self._transport.allows(server_url):
            raise OrgRefused(faults.HOST_NOT_ALLOWED)
        return replace(session, server_url=server_url)


@contextmanager
def _at_this_host() -> Iterator[None]:
    """A redirect says nothing of the credential, and it will not be another answer the next time."""
    try:
        yield
    except Redirected as elsewhere:
        raise OrgRefused(faults.sent_elsewhere(elsewhere.host)) from elsewhere
