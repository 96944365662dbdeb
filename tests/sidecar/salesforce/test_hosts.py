"""Which addresses may be called."""

import pytest

from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts

ACME = AllowedHosts("https://acme.example", ["files.acme.example", "api.acme.example:8443"])


@pytest.mark.parametrize(
    "url",
    [
        "https://acme.example/services/Soap/u/64.0",
        "https://acme.example:443/",
        "https://acme.my.salesforce.com/services/Soap/u/64.0/00D",
        "https://ACME--UAT.sandbox.my.Salesforce.com/",
        "https://files.acme.example/x?y=1",
        "https://api.acme.example:8443/",
    ],
)
def test_the_login_host_salesforce_and_what_was_added_may_be_called(url):
    assert ACME.allow(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://acme.example/",
        "https://acme.example:444/",
        "http://acme.my.salesforce.com/",
        "https://acme.my.salesforce.com:8443/",
        "https://salesforce.com.evil.example/",
        "https://evilsalesforce.com/",
        "https://evil.example/?.salesforce.com",
        "https://acme.example@evil.example/",
        "https://user:pass@acme.my.salesforce.com/",
        "https://files.acme.example:8443/",
        "https://api.acme.example/",
        "https://acme.my.salesforce.com\\@evil.example/",
        "https://acme.my.salesforce.com/\r\nHost: evil.example",
        "https://acme.my.salesforce.com:99999/",
        "https://[::1/",
        "https://",
        "ftp://acme.example/",
        "file:///etc/passwd",
        "",
    ],
)
def test_nothing_else_may(url):
    assert not ACME.allow(url)


def test_plain_http_is_for_a_login_host_that_has_it_and_only_at_its_port():
    local = AllowedHosts("http://127.0.0.1:8080")
    assert local.allow("http://127.0.0.1:8080/services/data")
    assert not local.allow("http://127.0.0.1:8081/services/data")
    assert not local.allow("https://127.0.0.1:8080/services/data")
