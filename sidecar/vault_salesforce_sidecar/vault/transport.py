"""hvac's requests over urllib3: one pool, one TLS context, no proxies, no redirects, no repetition."""

import json
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import hvac
import urllib3
from hvac.adapters import Adapter
from hvac.utils import raise_for_error

from vault_plugin_sdk.framework.coerce import json_object
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.vault.servers import Servers

CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0
# What Vault says with these is a JSON object; a page comes from something that stands in front of it.
_SAID_IN_JSON = (200, 400, 403, 404)
# A sealed node answers 503; one that finds no active node 500, or a redirect to where that was.
_FROM_A_NODE_IN_ORDER = (*range(200, 300), *range(400, 500))


class NotVault(urllib3.exceptions.HTTPError):
    """What answered is not Vault: a load balancer, a firewall, a page of whoever is at that address now."""


def open_pool(ca_cert_file: str, connections: int, servers: int = 1) -> urllib3.PoolManager:
    """The pool of a process; to be opened after the fork.

    Args:
        ca_cert_file: PEM of the authorities to trust; "" trusts the system's.
        connections: How many may be open to one server at once; a caller beyond it waits for one.
        servers: How many addresses are asked.

    Raises: OSError: the file cannot be read, or holds no certificate.
    """
    return urllib3.PoolManager(
        num_pools=servers,
        maxsize=connections,
        block=True,
        retries=False,
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, total=CALL_SECONDS),
        ssl_context=ssl.create_default_context(cafile=ca_cert_file or None),
    )


class Urllib3Adapter(Adapter):  # type: ignore[misc]  # hvac carries no types
    """hvac's face to the network.

    requests, which hvac would use, reads every authority of the system anew for each connection, takes proxies from
    the environment, and would carry the token along a redirect.
    """

    def __init__(self, *, pool: urllib3.PoolManager, servers: Servers, namespace: str, **_: Any) -> None:
        super().__init__(namespace=namespace, session=_NO_SESSION)
        self._pool, self._servers = pool, servers
        self.token = SecretStr("")

    def get_login_token(self, response: Mapping[str, Any]) -> str:
        """See hvac."""
        return str(response["auth"]["client_token"])

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,  # noqa: FBT001, FBT002 - hvac's signature
        **kwargs: Any,
    ) -> Any:
        """See hvac.

        Returns: The JSON object of a 200, else None.
        Raises: hvac.exceptions.VaultError: any other answer. urllib3.exceptions.HTTPError: no answer, or not Vault's.
        """
        sent = {"X-Vault-Request": "true", **(headers or {})}
        if self.token:
            sent.setdefault("X-Vault-Token", self.token.reveal())
        if self.namespace:
            sent["X-Vault-Namespace"] = self.namespace
        body = None
        if kwargs.get("json") is not None:
            sent["Content-Type"] = "application/json"
            body = json.dumps(kwargs["json"]).encode()
        query = f"?{urlencode(kwargs['params'])}" if kwargs.get("params") else ""
        answer = self._answer(method.upper(), self.urljoin(url) + query, body, sent)
        document = json_object(answer.data)
        if document is None and answer.status in _SAID_IN_JSON:
            self._servers.doubt()
            raise NotVault
        if raise_exception and answer.status >= 300:  # noqa: PLR2004 - a redirect is no answer either
            errors = document.get("errors") if document else None
            raise_for_error(method, url, answer.status, f"status {answer.status}", errors=errors, json=document)
        return document

    def _answer(self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]) -> Any:
        """Ask the nodes in turn until one can be connected to: only then does anything leave, and it leaves once."""
        refused: urllib3.exceptions.HTTPError | None = None
        for address in self._servers.in_order():
            try:
                answer = self._pool.request(
                    method, self.urljoin(address, path), body=body, headers=headers, redirect=False
                )
            except urllib3.exceptions.ConnectTimeoutError as exc:
                self._servers.doubt()
                refused = exc
            except urllib3.exceptions.HTTPError:
                self._servers.doubt()
                raise
            else:
                if answer.status not in _FROM_A_NODE_IN_ORDER:
                    self._servers.doubt()
                return answer
        raise refused or AssertionError("there is at least one address")


def open_client(pool: urllib3.PoolManager, servers: Servers, namespace: str) -> Any:
    """An hvac client that takes nothing from the environment or from ~/.vault-token."""

    def adapter(**_: Any) -> Urllib3Adapter:
        return Urllib3Adapter(pool=pool, servers=servers, namespace=namespace)

    return hvac.Client(token="", cert=(), verify=True, namespace=namespace, adapter=adapter)


class _NoSession:
    """hvac makes a requests session unless it is given one."""

    verify, cert, proxies = True, None, None

    def close(self) -> None:
        """There is nothing to close."""


_NO_SESSION = _NoSession()
