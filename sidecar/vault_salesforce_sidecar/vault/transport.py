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

from vault_plugin_sdk.framework.secretstr import SecretStr

CONNECT_SECONDS = 3.0
CALL_SECONDS = 10.0


def open_pool(ca_cert_file: str, connections: int) -> urllib3.PoolManager:
    """The pool of a process; to be opened after the fork.

    Args:
        ca_cert_file: PEM of the authorities to trust; "" trusts the system's.
        connections: How many may be open at once; a caller beyond it waits for one.

    Raises: OSError: the file cannot be read, or holds no certificate.
    """
    return urllib3.PoolManager(
        num_pools=1,
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

    def __init__(self, *, pool: urllib3.PoolManager, base_uri: str, namespace: str, **_: Any) -> None:
        super().__init__(base_uri=base_uri, namespace=namespace, session=_NO_SESSION)
        self._pool = pool
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
        Raises: hvac.exceptions.VaultError: any other answer. urllib3.exceptions.HTTPError: no answer.
        """
        sent = {"X-Vault-Request": "true", **(headers or {})}
        if self.token:
            sent["X-Vault-Token"] = self.token.reveal()
        if self.namespace:
            sent["X-Vault-Namespace"] = self.namespace
        body = None
        if kwargs.get("json") is not None:
            sent["Content-Type"] = "application/json"
            body = json.dumps(kwargs["json"]).encode()
        query = f"?{urlencode(kwargs['params'])}" if kwargs.get("params") else ""
        answer = self._pool.request(
            method.upper(), self.urljoin(self.base_uri, url) + query, body=body, headers=sent, redirect=False
        )
        document = _document(answer.data)
        if raise_exception and answer.status >= 300:  # noqa: PLR2004 - a redirect is no answer either
            errors = document.get("errors") if document else None
            raise_for_error(method, url, answer.status, f"status {answer.status}", errors=errors, json=document)
        return document


def open_client(pool: urllib3.PoolManager, addr: str, namespace: str) -> Any:
    """An hvac client that takes nothing from the environment or from ~/.vault-token."""

    def adapter(**_: Any) -> Urllib3Adapter:
        return Urllib3Adapter(pool=pool, base_uri=addr, namespace=namespace)

    return hvac.Client(url=addr, token="", cert=(), verify=True, namespace=namespace, adapter=adapter)


class _NoSession:
    """hvac makes a requests session unless it is given one."""

    verify, cert, proxies = True, None, None

    def close(self) -> None:
        """There is nothing to close."""


_NO_SESSION = _NoSession()


def _document(data: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(data) if data else None
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
