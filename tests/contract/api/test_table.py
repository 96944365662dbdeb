"""The table of all paths, and the records behind them."""

import json

import pytest

from vault_plugin_sdk.framework.fields import ABSENT, REQUIRED, SECRET, build, declared, fields_of, parse, read_back
from vault_plugin_sdk.framework.help import find, path_help
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract import api
from vault_salesforce_contract.api.config import Config
from vault_salesforce_contract.api.rotate import MAX_WAIT_SECONDS, ROTATE
from vault_salesforce_contract.api.static_roles import StaticRole

EVERY = pytest.mark.parametrize("description", api.TABLE, ids=lambda description: description.pattern)
ROLE = {"config": "demo", "username": "app@example.com"}


def made(record, **given):
    values, unknown = parse(fields_of(record), given)
    assert unknown == []
    return build(record, values)


def test_no_path_is_described_twice_and_each_is_one_halfs():
    patterns = [description.pattern for description in api.TABLE]
    assert len(set(patterns)) == len(patterns)
    assert len(api.TABLE) == len(api.PLUGIN_PATHS) + len(api.SIDECAR_PATHS)


@EVERY
def test_every_field_has_a_sentence_and_every_path_its_help(description):
    assert description.help.endswith(".")
    for name, item in (description.fields | description.query).items():
        assert item.help.endswith("."), name
    path = description.pattern.replace("{", "").replace("}", "")
    assert find(api.TABLE, path) is description
    assert description.help in path_help(description)


def test_what_apps_read_takes_no_parameter_for_an_agents_templates_share_one_answer_whatever_the_query():
    for pattern in ("static-creds/{role}", "creds/{role}", "version/{role}"):
        (description,) = (each for each in api.TABLE if each.pattern == pattern)
        assert (description.query, description.fields) == ({}, {}), pattern


@EVERY
def test_every_default_is_a_value_that_a_client_could_have_given(description):
    for item in description.fields.values():
        if item.default not in (REQUIRED, ABSENT, None) and item.kind is not SECRET:
            assert item.read(json.loads(json.dumps(item.default))) == item.default


def test_every_field_of_a_record_that_is_no_secret_reads_back():
    for record in (made(StaticRole, **ROLE), made(Config, login_url="https://login.example.com")):
        known = read_back(record)
        for name, item in declared(type(record)).items():
            assert (name in known) is (item.kind is not SECRET and getattr(record, name) is not None), name


def test_a_role_is_bound_to_its_account_for_good():
    role = made(StaticRole, **ROLE)
    for change in ({"username": "other@example.com"}, {"config": "other"}):
        with pytest.raises(CallerError, match="cannot be changed"):
            build(StaticRole, change, role)


def test_a_rotation_waits_ten_seconds_at_most_for_nobody_waits_long_inside_vault():
    values, _ = parse(ROTATE.fields, {})
    assert values["wait"] == MAX_WAIT_SECONDS == 10
    with pytest.raises(CallerError, match="wait must be at most 10"):
        parse(ROTATE.fields, {"wait": "11s"})


@pytest.mark.parametrize(
    "url",
    [
        "https://login.salesforce.com",
        "https://example.my.salesforce.com/",
        "https://127.0.0.1:8443",
        "http://127.0.0.1:1234",
        "http://localhost:1234",
    ],
)
def test_an_org_is_a_scheme_and_a_host(url):
    assert made(Config, login_url=url).login_url == url


@pytest.mark.parametrize(
    "url",
    [
        "login.salesforce.com",
        "http://login.salesforce.com",
        "https://",
        "https://user:pass@login.salesforce.com",
        "https://login.salesforce.com/services",
        "https://login.salesforce.com?x=1",
        "https://login.salesforce.com:99999",
        "https://[::1",
        "ftp://login.salesforce.com",
        "",
    ],
)
def test_anything_else_is_no_address_of_an_org(url):
    with pytest.raises(CallerError, match="login_url"):
        made(Config, login_url=url)


@pytest.mark.parametrize(("version", "good"), [("31.0", True), ("64.0", True), ("68.0", True), ("30.0", False)])
def test_a_version_is_one_that_salesforce_serves(version, good):
    if good:
        assert made(Config, login_url="https://x.example.com", api_version=version).api_version == version
    else:
        with pytest.raises(CallerError, match="api_version"):
            made(Config, login_url="https://x.example.com", api_version=version)


@pytest.mark.parametrize("version", ["64", "64.5", "x", "64.0.0", "²4.0", "-64.0"])
def test_a_version_is_written_as_salesforce_writes_it(version):
    with pytest.raises(CallerError, match="api_version"):
        made(Config, login_url="https://x.example.com", api_version=version)
