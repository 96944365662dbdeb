"""Requests without a token, and with one that means nothing: nothing is learnt, and nothing behind Vault is reached."""

import secrets

import pytest

pytestmark = pytest.mark.system

PATHS = ("static-creds", "creds", "version", "status", "history", "rotate", "resync", "reveal", "published", "sidecar")


def requests_at_the_sidecar(stack):
    """How many it has logged."""
    return sum('"event": "request"' in line for line in stack.sidecar.part.errors.read_text().splitlines())


@pytest.mark.parametrize("token", ["", "hvs.nobodys", "s.nobodys"], ids=["none", "one of no server", "an old form"])
def test_an_anonymous_request_learns_nothing_and_reaches_no_sidecar(product, stack, token):
    account = product.account()
    product.status(account)
    before = requests_at_the_sidecar(stack)
    assert before > 0
    stranger = stack.vault.api(token)
    for path in PATHS:
        for method in ("GET", "POST", "PUT", "DELETE", "LIST"):
            answers = []
            for role in (account.role, f"r{secrets.token_hex(4)}"):
                body = {"password": "Guessed-1"} if method in ("POST", "PUT") else None
                answer = stranger.send(method, f"v1/sf/{path}/{role}", body)
                answers.append((answer.status, str(answer.body).replace(role, "")))
            there, not_there = answers
            assert there == not_there, (method, path)
            assert there[0] == 403, (method, path, there)
    assert requests_at_the_sidecar(stack) == before
    assert product.version(account) == 1
    assert product.counted(account)["failed_logins"] == 0
