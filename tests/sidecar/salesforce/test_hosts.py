"""Which addresses may be called."""

import pytest

from vault_salesforce_sidecar.salesforce.hosts import AllowedHosts, is_salesforce, login_host_fault

ACME = AllowedHosts("https://acme.my.salesforce.com", ["files.acme.example", "api.acme.example:8443"])
SOAP, DATA = "/services/Soap/u/64.0", "/services/data/v64.0"


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com",
        "https://test.salesforce.com/",
        "https://acme.my.salesforce.com",
        "https://acme-dev-ed.develop.my.salesforce.com",
        "https://ACME--UAT.sandbox.my.Salesforce.com",
        "https://acme--uat.my.salesforce.com",
        "https://x.scratch.my.salesforce.com",
        "https://acme.my.salesforce.com:8443",
        "https://acme.my.salesforce.com:443",
        "https://na139.salesforce.com",
        "https://cs2.salesforce.com",
    ],
)
def test_hosts_of_salesforces_own(url):
    assert is_salesforce(url)
    assert login_host_fault(url, ()) is None
    assert AllowedHosts("http://127.0.0.1:8080").allow(url.rstrip("/") + SOAP)


@pytest.mark.parametrize(
    "url",
    [
        "http://login.salesforce.com",
        "https://login.salesforce.com:444",
        "https://salesforce.com",
        "https://login.salesforce.com.evil.example",
        "https://login.saleforce.com",
        "https://evilsalesforce.com",
        "https://help.salesforce.com",
        "https://login.acme.salesforce.com",
        "https://my.salesforce.com",
        "https://.my.salesforce.com",
        "https://a.b.c.my.salesforce.com",
        "https://acme.my.salesforce.com.",
        "https://acme_1.my.salesforce.com",
        "https://\u0430cme.my.salesforce.com",
        "https://evil.example/?.my.salesforce.com",
        "https://evil.example#.my.salesforce.com",
        "https://acme.my.salesforce.com@evil.example",
        "https://user:pass@acme.my.salesforce.com",
        "https://acme.my.salesforce.com\\@evil.example",
        "https://acme.my.salesforce.mil",
        "https://acme.my.site.com",
        "https://acme.lightning.force.com",
        "https://169.254.169.254",
        "https://[::1",
        "https://",
        "ftp://login.salesforce.com",
        "",
    ],
)
def test_hosts_that_only_look_like_it(url):
    assert not is_salesforce(url)
    assert "login_url" in login_host_fault(url, ())
    assert not ACME.allow(url + SOAP)


@pytest.mark.parametrize("url", ["https://files.acme.example", "https://api.acme.example:8443"])
def test_a_connection_may_add_hosts_by_https_alone(url):
    assert ACME.allow(url + DATA)
    assert login_host_fault(url, ["files.acme.example", "api.acme.example:8443"]) is None
    assert "name the host in allowed_hosts too" in login_host_fault(url, ())
    assert not ACME.allow(url.replace("https", "http") + DATA)


@pytest.mark.parametrize("url", ["https://files.acme.example:8443", "https://api.acme.example"])
def test_a_host_that_was_added_has_one_port(url):
    assert not ACME.allow(url + DATA)


@pytest.mark.parametrize(
    "path",
    [
        SOAP,
        "/services/Soap/c/64.0/00D000000000001",
        "/services/Soap/u/64.0/00D000000000001EAA",
        "/services/data",
        "/services/data/",
        "/services/data/v64.0/query?q=SELECT%20Id%20FROM%20User",
        "/services/data/v64.0/query/01g000000000001-2000",
        "/services/data/v64.0/sobjects/User/005000000000001AAA/password",
        "/services/oauth2/token",
    ],
)
def test_paths_that_are_called(path):
    assert ACME.allow(f"https://acme.my.salesforce.com{path}")


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/services/Soap/m/64.0",
        "/services/Soap/u/64.0/00D000000000001/x",
        "/services/apexrest/steal",
        "/services/data/../apexrest/steal",
        "/services/data/v64.0/./x",
        "/services/data//x",
        "/services/data/%2e%2e/x",
        "/services/oauth2/token/x",
        "/secur/logout.jsp",
        "/services/Soap/u/64.0\r\nHost: evil.example",
    ],
)
def test_paths_that_are_not(path):
    assert not ACME.allow(f"https://acme.my.salesforce.com{path}")


def test_an_org_on_this_very_machine_is_the_login_hosts_own_scheme_and_port():
    local = AllowedHosts("http://127.0.0.1:8080")
    assert local.allow(f"http://127.0.0.1:8080{DATA}")
    assert not local.allow(f"http://127.0.0.1:8081{DATA}")
    assert not local.allow(f"https://127.0.0.1:8080{DATA}")
    assert not ACME.allow(f"http://127.0.0.1:8080{DATA}")
    assert login_host_fault("http://127.0.0.1:8080", ()) is None


def test_where_logins_show_a_certificate_the_calls_of_their_sessions_do_too():
    mutual = AllowedHosts("https://acme.my.salesforce.com:8443")
    given = f"https://acme.my.salesforce.com{SOAP}/00D000000000001"
    assert mutual.at_its_port(given) == f"https://acme.my.salesforce.com:8443{SOAP}/00D000000000001"
    assert mutual.allow(mutual.at_its_port(given))
    assert ACME.at_its_port(given) == given
    for other in (f"https://evil.example{SOAP}", "junk"):
        assert mutual.at_its_port(other) == other
