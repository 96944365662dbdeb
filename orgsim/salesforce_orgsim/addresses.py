"""Ranges of addresses, as Salesforce's network access and profile pages hold them."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network


def check_ranges(ranges: Iterable[str]) -> None:
    """Make sure that ranges can be read.

    Args:
        ranges: Each `10.0.0.1`, `10.0.0.0/24` or `10.0.0.1-10.0.0.9`.

    Raises:
        ValueError: One is none of these, or its ends are of two kinds or in the wrong order.
    """
    for text in ranges:
        first, last = _ends(text)
        if first.version != last.version or int(first) > int(last):
            raise ValueError(f"{text!r} ends before it starts")


def inside(address: str, ranges: Iterable[str]) -> bool:
    """Say whether an address lies in one of the ranges."""
    wanted = ip_address(address)
    for text in ranges:
        first, last = _ends(text)
        if first.version == wanted.version and int(first) <= int(wanted) <= int(last):
            return True
    return False


def _ends(text: str) -> tuple[IPv4Address | IPv6Address, IPv4Address | IPv6Address]:
    if "-" in text:
        first, _, last = text.partition("-")
        return ip_address(first.strip()), ip_address(last.strip())
    network = ip_network(text.strip(), strict=False)
    return network[0], network[-1]
