"""Whatever comes back, it is one of three outcomes, and none of it is in the error.

Real answers are spoilt in every way that is thought of here, and then by chance.
"""

import itertools
import json
import re
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from org_answers import (
    CALLS,
    CHANGED,
    CHANGES,
    FAULT,
    GOOD,
    GRANT,
    LOGGED_IN,
    LOGINS,
    MARK,
    NO_GRANT,
    READS,
    RECORDS,
    REFUSED,
    RESET,
    RESULT,
    STATUSES,
    USER,
    envelope,
    outcome,
)

from vault_salesforce_sidecar.salesforce.interface import Lost, OrgRefused

HTML = f"<!DOCTYPE html><html><head><title>Down</title></head><body>{MARK}<br></body></html>".encode()
BILLION = (
    '<!DOCTYPE l [<!ENTITY a "Zq7leaked">'
    + "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(10))
    + "]>"
)
SPOILT = {
    "nothing": b"",
    "HTML": HTML,
    "XHTML": HTML.replace(b"<!DOCTYPE html>", b"").replace(b"<br>", b"<br/>"),
    "nul bytes": b"\x00" * 100,
    "not UTF-8": f"{{{MARK}".encode() + b"\xff\xfe",
    "XML bomb": (BILLION + envelope("<loginResponse><result>&j;</result></loginResponse>")[38:]).encode(),
    "quadratic": (f'<!DOCTYPE l [<!ENTITY a "{"Zq7leaked" * 5000}">]><l>{"&a;" * 5000}</l>').encode(),
    "file": (f'<!DOCTYPE l [<!ENTITY a SYSTEM "file:///etc/passwd">]>{envelope("&a;")[38:]}').encode(),
    "foreign DTD": b'<!DOCTYPE l SYSTEM "http://127.0.0.1:1/x.dtd">' + LOGGED_IN.encode()[38:],
    "a document type": b"<!DOCTYPE e>" + LOGGED_IN.encode()[38:],
    "deep XML": b"<a>" * 60_000,
    "deep and whole XML": b"<a>" * 20_000 + b"</a>" * 20_000,
    "deep JSON": b"[" * 100_000,
    "deep and whole JSON": b'{"records":' + b"[" * 900 + b"]" * 900 + b"}",
    "deep objects": b'{"records":[' + b'{"a":' * 400 + b"1" + b"}" * 400 + b"]}",
    "long number": b'{"records":[{"NumberOfFailedLogins":' + b"9" * 10_000 + b"}]}",
    "no number": b'{"records":[{"NumberOfFailedLogins":NaN}]}',
    "boundless number": b'{"records":[{"NumberOfFailedLogins":1e999}]}',
    "half a character": b'{"access_token":"x","records":[{"Id":"\\ud800"}],"NewPassword":"\\udfff"}',
    "a name twice": b'{"records":[],"records":[{}],"NewPassword":"a","NewPassword":"b","id":1,"id":2}',
    "UTF-7": (LOGGED_IN[:38].replace("8", "7") + LOGGED_IN[38:].replace("<", "+ADw-")).encode(),
    "unknown charset": LOGGED_IN.replace("UTF-8", f"x-{MARK}").encode(),
    "another charset": LOGGED_IN.encode("utf-16"),
    "many attributes": b"<a " + b"".join(b'x%d="1" ' % n for n in range(20_000)) + b"/>",
    "processing": b'<?xml-stylesheet href="http://127.0.0.1:1/"?>' + LOGGED_IN.encode()[38:],
    "a long code": json.dumps([{"errorCode": "A_" * 500 + MARK}]).encode(),
    "lists of lists": b"[[[[]]]]",
    "text": json.dumps(MARK).encode(),
    "a type of its own": LOGGED_IN.replace("<result>", '<result xsi:type="GetUserInfoResult">').encode(),
}
HARMLESS = {"unknown charset", "a type of its own", "processing"}
# Each is an answer to login that says two things at once.
AMBIGUOUS = {
    "two sessions": LOGGED_IN.replace("<sessionId>", "<sessionId>other</sessionId><sessionId>"),
    "two results": LOGGED_IN.replace("</loginResponse>", f"<result>{RESULT}</result></loginResponse>"),
    "two answers": LOGGED_IN.replace("</e:Body>", f"<loginResponse><result>{RESULT}</result></loginResponse></e:Body>"),
    "two bodies": LOGGED_IN.replace("</e:Envelope>", "<e:Body/></e:Envelope>"),
    "two addresses": LOGGED_IN.replace("<serverUrl>", "<serverUrl>https://evil.example</serverUrl><serverUrl>"),
    "expired and not": LOGGED_IN.replace("<sandbox>", "<passwordExpired>true</passwordExpired><sandbox>"),
    "another user": LOGGED_IN.replace(USER, "else@acme.example"),
    "an element in a text": LOGGED_IN.replace(f"00D!{MARK}", f"<x>00D!{MARK}</x>"),
}


@pytest.mark.parametrize("name", SPOILT)
def test_a_spoilt_answer_is_lost_whoever_asked_and_takes_no_time(name):
    for call_name, status in itertools.product(CALLS, STATUSES):
        began = time.thread_time()
        got = outcome(CALLS[call_name], status, SPOILT[name])
        assert time.thread_time() - began < 1.0
        if (call_name, status) == ("REST change", 204):
            assert got is None  # such an answer has no body, and is the whole of it
        elif name in HARMLESS and (call_name, status) == ("login", 200):
            assert got is None  # it is read by what it says, and says it once
        else:
            assert got is Lost, (call_name, status)


@pytest.mark.parametrize("name", AMBIGUOUS)
def test_a_login_that_is_answered_by_two_things_is_lost(name):
    assert outcome(LOGINS["login"], 200, LOGGED_IN.encode()) is None
    assert outcome(LOGINS["login"], 200, AMBIGUOUS[name].encode()) is Lost


@pytest.mark.parametrize("name", CALLS)
def test_the_answer_to_another_call_is_no_answer(name):
    """A proxy or a cache that mixes them up must not make a change look done, nor a login look refused."""
    own = {"login": LOGGED_IN, "changeOwnPassword": CHANGED, "resetPassword": RESET, "records": RECORDS}
    own |= {"grant": GRANT, "grant by password": GRANT, "login history": RECORDS, "ids": RECORDS}
    for status in STATUSES:
        if (name, status) == ("REST change", 204):
            continue
        for body in {LOGGED_IN, CHANGED, RESET, RECORDS, GRANT} - {own.get(name)}:
            assert outcome(CALLS[name], status, body.encode()) is Lost, status
        for body in (FAULT, REFUSED, NO_GRANT):
            assert outcome(CALLS[name], status, body.encode()) in (Lost, OrgRefused), status


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_change_that_the_server_failed_at_may_have_been_made(name, status):
    for body in (HTML, REFUSED.encode(), b'[{"errorCode":"UNKNOWN_EXCEPTION"}]', b""):
        assert outcome(CHANGES[name], status, body) is Lost


@pytest.mark.parametrize("body", GOOD, ids=range(len(GOOD)))
def test_an_answer_that_was_cut_off_anywhere_is_lost(body):
    for end in range(0, len(body), 7):
        for call in CALLS.values():
            assert outcome(call, 200, body[:end]) is Lost


def spoil(body):
    """An answer with something taken out of it, doubled, or put in."""
    where = st.integers(0, len(body))
    return st.one_of(
        st.builds(lambda a, b: body[: min(a, b)] + body[max(a, b) :], where, where),
        st.builds(lambda a, b: body[: max(a, b)] + body[min(a, b) :], where, where),
        st.builds(lambda a, more: body[:a] + more + body[a:], where, st.binary(max_size=20)),
        st.builds(lambda one, other: body.replace(one.encode(), other.encode()), words(body), st.text(max_size=20)),
    )


def words(body):
    return st.sampled_from(sorted(set(re.findall(r"\w+", body.decode()))))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10) | st.just(MARK),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["records", "Id", "errorCode", "error", "fields", "NewPassword", "id"]), inner
        )
    ),
    max_leaves=10,
)
ANSWERS = st.one_of(
    st.sampled_from(GOOD).flatmap(spoil), st.binary(max_size=300), JSON.map(lambda value: json.dumps(value).encode())
)


@settings(max_examples=200)
@given(name=st.sampled_from(sorted(CALLS)), status=st.sampled_from(STATUSES) | st.integers(200, 599), body=ANSWERS)
def test_by_chance_too_it_is_one_of_three_outcomes(name, status, body):
    outcome(CALLS[name], status, body)


@given(time=st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | st.text(max_size=40))
def test_a_time_that_cannot_be_is_lost(time):
    body = json.dumps({"records": [{"LoginTime": time}]}).encode()
    assert outcome(READS["login history"], 200, body) in (None, Lost)
