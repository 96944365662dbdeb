"""Answers that no client should choke on, as they come over a connection."""

import http.client
import time
import zlib
from urllib.parse import urlsplit

import pytest
import requests

from salesforce_orgsim.serve import start

USERS = [{"username": "app@crm.example", "password": "First-pass-1", "manage_users": True}]
PATIENCE = 20
MIB = 1 << 20


@pytest.fixture(scope="module")
def server():
    with start({"users": USERS}) as running:
        yield running


@pytest.fixture
def running(server):
    yield server
    requests.post(f"{server.control_url}/reset", timeout=PATIENCE).raise_for_status()


def turn(running, **knobs):
    requests.patch(f"{running.control_url}/misbehave", json=knobs, timeout=PATIENCE).raise_for_status()


def versions(running, **how):
    return requests.request("GET", f"{running.url}/services/data", timeout=PATIENCE, **how)


def log_in(running):
    body = (
        '<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>'
        '<login xmlns="urn:partner.soap.sforce.com"><username>nobody</username><password>x</password></login>'
        "</e:Body></e:Envelope>"
    )
    headers = {"Content-Type": "text/xml"}
    return requests.post(f"{running.url}/services/Soap/u/64.0", data=body, headers=headers, timeout=PATIENCE)


def test_a_page_of_html_comes_with_a_good_status(running):
    turn(running, answer_html={"times": 1})
    answer = versions(running)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert versions(running).json()


@pytest.mark.parametrize("knob", ["answer_malformed", "answer_truncated", "answer_deep"])
def test_a_body_that_cannot_be_parsed_is_neither_json_nor_xml(running, knob):
    turn(running, **{knob: True})
    with pytest.raises((requests.exceptions.JSONDecodeError, RecursionError)):
        versions(running).json()
    assert "</soapenv:Envelope>" not in log_in(running).text


def test_a_doctype_brings_entities_that_multiply(running):
    turn(running, answer_doctype=True)
    assert log_in(running).text.startswith('<?xml version="1.0"?><!DOCTYPE')


def test_a_gigantic_answer_is_made_while_it_is_read(running):
    turn(running, answer_gigantic={"bytes": 1 << 34, "times": 1})
    with versions(running, stream=True) as answer:
        read = sum(len(chunk) for _, chunk in zip(range(32), answer.iter_content(MIB), strict=False))
    assert read > MIB
    turn(running, answer_gigantic={"bytes": 3 * MIB, "times": 1})
    assert 3 * MIB <= len(versions(running).content) < 4 * MIB


def test_a_bomb_unpacks_to_what_was_asked_for(running):
    turn(running, answer_gzip_bomb={"bytes": 8 * MIB, "times": 1})
    with versions(running, stream=True) as answer:
        packed = answer.raw.read()
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(packed) < 64 * 1024
    assert len(zlib.decompress(packed, 16 + zlib.MAX_WBITS)) == 8 * MIB


def test_a_drip_takes_its_time_for_every_byte(running):
    turn(running, answer_drip_seconds={"seconds": 0.001, "times": 1})
    began = time.monotonic()
    text = log_in(running).text
    assert text.endswith("</soapenv:Envelope>")
    assert time.monotonic() - began > 0.001 * len(text)


def test_more_bytes_are_announced_than_are_sent(running):
    turn(running, answer_wrong_length={"extra": 7, "times": 1})
    address = urlsplit(running.url)
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=PATIENCE)
    connection.request("GET", "/services/data")
    with pytest.raises(http.client.IncompleteRead) as caught:
        connection.getresponse().read()
    connection.close()
    assert caught.value.expected == 7


def test_a_redirect_leads_elsewhere(running):
    turn(running, answer_redirect={"url": "https://evil.example/", "status": 307})
    answer = versions(running, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "https://evil.example/")


def set_password(running):
    user = running.org.user("app@crm.example")
    other = running.org.user("b@crm.example")
    headers = {"Authorization": f"Bearer {running.org.open_session(user).id}"}
    path = f"/services/data/v68.0/sobjects/User/{other.id}/password"
    json = {"NewPassword": "Second-pass-2"}
    return requests.post(running.url + path, headers=headers, json=json, timeout=PATIENCE)


@pytest.mark.parametrize(("when", "applied"), [("after", True), ("before", False)])
def test_a_change_is_applied_before_its_answer_is_spoilt_or_not_at_all(running, when, applied):
    other = {"username": "b@crm.example", "password": "First-pass-1"}
    requests.post(f"{running.control_url}/users", json=other, timeout=PATIENCE).raise_for_status()
    turn(running, answer_html={"when": when, "operation": "setPassword"})
    assert set_password(running).headers["Content-Type"].startswith("text/html")
    assert (running.org.user("b@crm.example").password == "Second-pass-2") is applied
