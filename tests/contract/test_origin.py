"""Where a password may be sent."""

import pytest

from vault_salesforce_contract.origin import origin_fault


@pytest.mark.parametrize(
    "address",
    ["https://x.my.salesforce.com", "https://host:8443/", "http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1"],
)
def test_an_address_with_tls_or_of_this_machine_is_taken(address):
    assert origin_fault(address) is None


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://x.my.salesforce.com", "https://"),
        ("ftp://host", "https://"),
        ("https://user:word@host", "a scheme and a host"),
        ("https://host/path", "a scheme and a host"),
        ("https://host?query=1", "a scheme and a host"),
        ("https://host:0", "a scheme and a host"),
        ("https://host:port", "is not a URL"),
        ("host", "a scheme and a host"),
        ("", "a scheme and a host"),
    ],
)
def test_any_other_is_refused_with_what_is_wrong(address, fault):
    assert fault in origin_fault(address)
