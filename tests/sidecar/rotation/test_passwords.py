"""New passwords satisfy the strictest org and hurt no consumer."""

import string
from urllib.parse import quote
from xml.sax.saxutils import escape

from vault_salesforce_sidecar.rotation.passwords import LENGTH, SPECIALS, new_password


def texts(username="integration@acme.example"):
    return [new_password(username).reveal() for _ in range(200)]


def test_a_password_has_every_kind_of_character_and_begins_with_a_letter():
    for text in texts():
        assert len(text) == LENGTH
        assert text[0] in string.ascii_letters
        for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIALS):
            assert set(text) & set(kind)


def test_its_special_characters_are_among_those_that_every_policy_counts():
    assert set(SPECIALS) <= set("!#$%-_=+<>")


def test_it_means_the_same_in_urls_xml_and_shells():
    for text in texts():
        assert quote(text, safe="") == text == escape(text)
        assert not set(text) & set("'\"\\ $`;&|{}()*?~")


def test_it_does_not_contain_the_user_name():
    assert not any("abc" in text.lower() for text in texts("abc@acme.example"))


def test_no_two_are_equal():
    assert len(set(texts())) == 200
