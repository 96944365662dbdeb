"""New passwords satisfy the strictest org on the first try and hurt no consumer."""

import shlex
import string
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforce_orgsim.password_policy import COMMON_WORDS, PasswordPolicy
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.rotation.passwords import LENGTH, SPECIALS, new_password, unfit

NAMES = st.text(alphabet=string.ascii_letters + string.digits + "._-", min_size=1, max_size=20)
STRICTEST = st.builds(
    PasswordPolicy,
    minimum_password_length=st.sampled_from([5, 8, 15, 50]),
    password_complexity=st.integers(0, 5),
    password_history=st.just(24),
)


def texts(username="integration@acme.example"):
    return [new_password(username).reveal() for _ in range(200)]


EARLIER = [new_password("somebody@acme.example").reveal() for _ in range(24)]


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(STRICTEST, NAMES, NAMES, NAMES)
def test_no_policy_of_salesforces_objects_to_it(policy, user, first, last):
    username = f"{user}@{last}.example"
    password = new_password(username).reveal()
    assert policy.objection(password, names=(username, first, last), earlier=EARLIER) is None


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(st.integers(8, 50), NAMES)
def test_every_length_from_the_default_up_has_every_kind_of_character(length, user):
    text = new_password(f"{user}@acme.example", length).reveal()
    assert len(text) == length
    assert text[0] in string.ascii_letters
    for kind in (string.ascii_uppercase, string.ascii_lowercase, string.digits, SPECIALS):
        assert set(text) & set(kind)


def test_it_is_as_long_as_the_longest_minimum():
    assert {len(text) for text in texts()} == {LENGTH} == {50}


def test_its_special_characters_are_among_those_that_every_policy_counts():
    assert set(SPECIALS) <= set("!#$%-_=+<>")


def test_it_means_the_same_in_urls_xml_shells_and_connection_strings():
    for text in texts():
        assert quote(text, safe="") == text == escape(text)
        assert shlex.split(f"-p {text} --password={text}") == ["-p", text, f"--password={text}"]
        assert urlsplit(f"jdbc://user:{text}@host/?a=1").password == text
        assert ET.fromstring(f"<p a='{text}'>{text}</p>").attrib["a"] == text  # noqa: S314 - our own
        assert not set(text) & set("'\"\\ $`;&|{}()*?~,:")


def test_it_holds_no_word_and_nothing_that_reads_as_one():
    spelt = str.maketrans("013457", "oleast")
    words = {"admin", "pass", "love", "welcome", "secret", "monkey", "dragon", "test", *COMMON_WORDS}
    for text in texts():
        read = text.lower().translate(spelt)
        assert not set("aeiouy") & set(read)
        assert not any(word in read for word in words)


@pytest.mark.parametrize(
    "username", ["crm@acme.example", "x.crm-sbx@acme.example", "a@crm.example", "CRM@acme.example"]
)
def test_it_does_not_contain_a_part_of_the_user_name(username):
    assert not any("crm" in text.lower() for text in texts(username) * 5)


def test_no_two_are_equal():
    assert len(set(texts())) == 200


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("Short-1", "7 characters"),
        ("x" * 16_001, "more than 16000 bytes"),
        ("Line-1\nLine-2", "control characters"),
        ("Null-1\x00Null-2", "control characters"),
        ("Half-\ud800-pair", "control characters"),
        (" Blank-before-1", "blanks at an end"),
        ("Blank-after-1 ", "blanks at an end"),
    ],
)
def test_what_a_policy_of_vaults_makes_is_refused_where_it_cannot_be_sent(text, why):
    assert why in unfit(SecretStr(text))


@pytest.mark.parametrize("text", ["Eight-88", "with blank in 1t", "Größe-und-1", "<&>'\"-1aA"])
def test_what_can_be_sent_is_left_to_salesforce_to_judge(text):
    assert unfit(SecretStr(text)) is None
