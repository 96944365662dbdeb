"""The server is sealed, or steps down, while a rotation waits on a silent org; nobody waits for the org."""

import time
from http import HTTPStatus

import pytest

pytestmark = pytest.mark.system

FREE_SECONDS = 30.0  # the plugin lets go after ten; the org is silent for sixty


@pytest.fixture
def waiting(product):
    """An account whose change the org has received and does not answer, and the request that waits for it."""
    account = product.account()
    product.misbehave(account, silent={"operation": "changeOwnPassword", "times": 1})
    asked = product.rotate_meanwhile(account)
    product.until(lambda: product.journal(account)["state"] == "applying", "the change")
    return account, asked


def ends_proven(product, account):
    product.until(lambda: product.version(account) == 2, "version 2", within_seconds=90)
    assert product.is_live(account)
    counted = product.counted(account)
    assert counted["lockouts"] == 0
    assert product.journal(account)["evidence"] == "login"


def test_after_a_step_down_the_server_is_free_and_the_rotation_ends_proven(product, stack, waiting):
    account, asked = waiting
    begin = time.monotonic()
    product.vault.send("PUT", "v1/sys/step-down")
    product.until(lambda: not stack.vault.active(), "the end of its turn")
    assert time.monotonic() - begin < FREE_SECONDS
    asked.result()
    product.until(stack.vault.active, "its next turn, before which it pauses for ten seconds")
    ends_proven(product, account)


def test_after_a_seal_the_server_is_free_and_the_rotation_ends_proven(product, stack, waiting):
    account, asked = waiting
    begin = time.monotonic()
    assert product.vault.send("PUT", "v1/sys/seal").status == HTTPStatus.NO_CONTENT
    product.until(lambda: product.vault.send("GET", "v1/sys/seal-status").body["sealed"], "the seal")
    assert time.monotonic() - begin < FREE_SECONDS
    asked.result()
    stack.vault.stop()
    stack.vault.restart()  # it unseals itself
    ends_proven(product, account)
