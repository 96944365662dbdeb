"""What people may write for a name, a login name, one line."""

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.text import (
    globs_fault,
    login_name_fault,
    name_fault,
    one_line,
    optional_login_name_fault,
    optional_name_fault,
    secret_fault,
)


@pytest.mark.parametrize("name", ["a", "crm", "CRM-1", "a.b_c", "x" * 128])
def test_a_name_is_letters_digits_and_what_joins_them(name):
    assert name_fault(name) is None


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "a b", "-a", "a.", "ä", "a\n", "a%2Fb", "x" * 129])
def test_anything_else_could_lead_elsewhere(name):
    assert "must be a name" in name_fault(name)


@pytest.mark.parametrize("name", ["a@b", "integration@example.com", "jörg@example.com", "a'b+c@d.e", f"{'x' * 78}@y"])
def test_a_login_name_has_the_form_of_a_mail_address(name):
    assert login_name_fault(name) is None


@pytest.mark.parametrize("name", ["", "crm", "..", "@", "a@", "@b", "a b@c", "a@b\n", "a@b\0", f"{'x' * 79}@y"])
def test_anything_else_is_no_login_name(name):
    assert "must be a login name" in login_name_fault(name)


def test_where_none_is_needed_an_empty_text_says_so():
    assert optional_name_fault("") is optional_login_name_fault("") is None
    assert optional_name_fault("a/b") == name_fault("a/b")
    assert optional_login_name_fault("x") == login_name_fault("x")


@pytest.mark.parametrize("secret", ["", "p", "p w", "Pässword<&>", "\U0001f600"])
def test_a_secret_is_any_line(secret):
    assert secret_fault(SecretStr(secret)) is None


@pytest.mark.parametrize(
    "secret", ["hid\nden", "hidden\n\n", "\thidden", "hid\0den", "hidden\x1b[0m", "hidden\x85", "hidden\x7f"]
)
def test_a_secret_of_several_lines_or_with_control_characters_is_refused_and_not_repeated(secret):
    fault = secret_fault(SecretStr(secret))
    assert "one line" in fault
    assert "hid" not in fault


@pytest.mark.parametrize(
    ("given", "meant"),
    [("Secret-1", "Secret-1"), ("Secret-1\n", "Secret-1"), ("Secret-1\r\n", "Secret-1"), (" s ", " s ")],
)
def test_the_line_end_of_a_secrets_file_is_no_part_of_it(given, meant):
    assert secret_fault(SecretStr(given)) is None
    assert one_line(SecretStr(given)) == SecretStr(meant)
    assert one_line(None) is None


def test_patterns_are_short_and_can_be_printed():
    assert globs_fault(("*", "crm-*", "*@example.com", "x" * 128)) is None
    assert globs_fault(()) is None
    for bad in ("x" * 129, "a\nb", "a\0"):
        assert "printable" in globs_fault(("ok", bad))
