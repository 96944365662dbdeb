"""Which addresses a connection may call. PURE."""

import re
from collections.abc import Iterable
from urllib.parse import SplitResult, urlsplit

_PLAIN_URL = re.compile(r"https?://[!-~]{1,2000}")
_DEFAULT_PORTS = {"https": 443, "http": 80}


class AllowedHosts:
    """The login host, `*.salesforce.com`, and what the connection adds.

    Args:
        login_url: The connection's; its own host and port are allowed with its own scheme.
        more: Further hosts, `host` or `host:port`, by https alone.
    """

    def __init__(self, login_url: str, more: Iterable[str] = ()) -> None:
        self._login = _origin(urlsplit(login_url))
        self._more = {host.lower() if ":" in host else f"{host.lower()}:443" for host in more}

    def allow(self, url: str) -> bool:
        """Whether `url`, which an org's answer may have named, may be called."""
        if not _PLAIN_URL.fullmatch(url):
            return False
        try:
            parts = urlsplit(url)
            scheme, host, port = _origin(parts)
        except ValueError:
            return False
        if not host or parts.username is not None or parts.password is not None:
            return False
        if (scheme, host, port) == self._login:
            return True
        return scheme == "https" and (
            (host.endswith(".salesforce.com") and port == _DEFAULT_PORTS["https"]) or f"{host}:{port}" in self._more
        )


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, (parts.hostname or "").lower(), parts.port or _DEFAULT_PORTS[parts.scheme]
