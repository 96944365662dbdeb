"""Addresses that secrets are sent to: a scheme and a host, and TLS unless it is this very machine. PURE."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def origin_fault(value: str) -> str | None:
    """What is wrong with a URL that passwords are to be sent to, as the end of a sentence; None where nothing is."""
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return "is not a URL"
    if not parts.hostname or port == 0 or parts.username or parts.path not in ("", "/") or parts.query:
        return "must be a scheme and a host, such as https://host.example.com"
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname)):
        return "must begin with https://: passwords pass through it"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this very machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
