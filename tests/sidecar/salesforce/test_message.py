"""Requests and answers as values."""

from vault_salesforce_sidecar.salesforce.message import Answer, Request


def test_what_may_be_secret_does_not_print():
    request = Request("POST", "https://acme.example/", {"Authorization": "Bearer 00Dsecret"}, b"<password>secret</>")
    assert "secret" not in f"{request} {Answer(200, b'secret')}"
