"""The plugin, or every sidecar, is gone: what still works, and what is said about the rest."""

import json
import os
import signal
from pathlib import Path

import pytest

pytestmark = pytest.mark.system


def children(pid):
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            if parent == pid:
                yield int(entry.name)


def test_the_next_read_after_the_plugin_was_killed_answers(product, stack):
    account = product.account()
    before = product.static_creds(account)
    (plugin,) = children(stack.vault.part.pid)
    os.kill(plugin, signal.SIGKILL)
    read = product.bao("read", "-format=json", f"sf/static-creds/{account.role}")
    assert json.loads(read.stdout)["data"] == before
    assert plugin not in children(stack.vault.part.pid)
    # The new process has a new key, which the sidecar learns on its own.
    assert product.rotate(account).data["done"] is True


def test_a_rotation_in_flight_when_the_plugin_is_killed_is_one_rotation(product, stack, hook):
    """The server may send the request to its next process once more: with the same id, by which it joins the first."""
    account = product.account()
    hook.act = lambda _: [os.kill(plugin, signal.SIGKILL) for plugin in children(stack.vault.part.pid)]
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    asked = product.rotate_meanwhile(account)
    assert hook.called.wait(20)
    answer = asked.result()
    assert answer.status == 500 or answer.data["version"] == 2, answer
    product.until(lambda: product.version(account) == 2, "version 2")
    product.until(lambda: product.status(account)["state"] == "ok", "rest")
    assert product.counted(account)["password_changes"] == 1
    assert product.is_live(account)


@pytest.fixture
def no_sidecar(stack):
    stack.sidecar.stop()
    yield
    stack.sidecar.restart()


def test_without_a_sidecar_reads_go_on_and_a_rotation_is_refused_in_one_sentence(product, stack, request):
    account = product.account()
    before = product.static_creds(account)
    request.getfixturevalue("no_sidecar")
    assert product.static_creds(account) == before
    assert product.vault.ask("GET", f"v1/sf/creds/{account.role}").data["password"] == before["password"]
    answer = product.rotate(account)
    assert answer.status == 503
    assert len(answer.body["errors"]) == 1
    assert "sidecar" in answer.sentences
    assert answer.body["remedy"]
    assert product.counted(account)["password_changes"] == 0
