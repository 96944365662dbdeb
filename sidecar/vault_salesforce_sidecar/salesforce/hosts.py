"""Which addresses a connection may call: Salesforce's classes of hosts, what it adds to them, and fixed paths. PURE."""

import re
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlsplit, urlunsplit

from vault_salesforce_contract.origin import is_loopback

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# `*.salesforce.com` is wider: sites, help pages and services of others live below it.
_SALESFORCE = re.compile(
    r"(?:login|test)\.salesforce\.com"
    rf"|{_LABEL}(?:\.[a-z]{{2,12}})?\.my\.salesforce\.com"  # a My Domain; with its kind: sandbox, develop, scratch …
    r"|[a-z]{2,4}[0-9]{1,4}\.salesforce\.com"  # an instance, where an org has no My Domain yet
)
_HTTPS, _MUTUAL_TLS = 443, 8443  # at the latter Salesforce asks for a client's certificate
_DEFAULT_PORTS = {"https": _HTTPS, "http": 80}
_PLAIN_URL = re.compile(r"https?://[!-~]{1,4000}")  # a query of ours may be long
_PATH = re.compile(
    r"/services/(?:Soap/[uc]/[0-9]{2}\.0(?:/[A-Za-z0-9]{1,18})?|data(?:/(?!\.\.?(?:/|$))[\w.-]+)*/?|oauth2/[a-z]+)",
    re.ASCII,
)


class Origin(NamedTuple):
    """Where a connection leads."""

    scheme: str
    host: str
    port: int


def origin_of(url: str) -> Origin:
    """Where a URL leads. Raises: ValueError where it is none that a request can be sent to."""
    parts = urlsplit(url)
    if not _PLAIN_URL.fullmatch(url) or not parts.hostname or parts.username is not None or parts.password is not None:
        raise ValueError("not an address that a request can be sent to")
    return Origin(parts.scheme, parts.hostname, parts.port or _DEFAULT_PORTS[parts.scheme])


def is_salesforce(url: str) -> bool:
    """Whether a URL leads to a host of Salesforce's own, by TLS."""
    try:
        scheme, host, port = origin_of(url)
    except ValueError:
        return False
    return scheme == "https" and port in (_HTTPS, _MUTUAL_TLS) and _SALESFORCE.fullmatch(host) is not None


def login_host_fault(login_url: str, allowed_hosts: Iterable[str]) -> str | None:
    """What is wrong with the host of a connection's login_url, as a sentence; None where nothing is."""
    try:
        if AllowedHosts(login_url, allowed_hosts).leads_to(login_url):
            return None
    except ValueError:
        return "login_url is no address that a request can be sent to"
    return (
        "login_url is none of Salesforce's hosts (login.salesforce.com, test.salesforce.com, *.my.salesforce.com): "
        "if the org really is there, name the host in allowed_hosts too"
    )


class AllowedHosts:
    """Salesforce's own hosts, and what the connection adds; the org of a login_url on this very machine, too.

    Args:
        login_url: The connection's.
        more: Further hosts, `host` or `host:port`, by https alone.
    """

    def __init__(self, login_url: str, more: Iterable[str] = ()) -> None:
        self._login = origin_of(login_url)
        self._more = {host.lower() if ":" in host else f"{host.lower()}:{_HTTPS}" for host in more}

    def allow(self, url: str) -> bool:
        """Whether `url`, which an org's answer may have named, may be called."""
        return self.leads_to(url) and _PATH.fullmatch(urlsplit(url).path) is not None

    def leads_to(self, url: str) -> bool:
        """Whether the host that `url` leads to may be called at all."""
        try:
            origin = origin_of(url)
        except ValueError:
            return False
        if is_salesforce(url) or (origin == self._login and is_loopback(origin.host)):
            return True
        return origin.scheme == "https" and f"{origin.host}:{origin.port}" in self._more

    def at_its_port(self, url: str) -> str:
        """The same, at the port for client certificates where the logins go there: an org's answers name no port."""
        if self._login.port != _MUTUAL_TLS or not is_salesforce(url) or origin_of(url).port != _HTTPS:
            return url
        parts = urlsplit(url)
        return urlunsplit(parts._replace(netloc=f"{parts.hostname}:{_MUTUAL_TLS}"))
