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


def test_a_rotation_in_flight_when_the_plugin_is_killed_is_joined_by_whoever_asks_again(product, stack, hook):
    """The server answers 500 by itself, and many clients send again what got that; or the server does."""
    account, again = product.account(), []

    def answered():
        answer = product.rotate(account, wait=0)
        return answer if answer.status != 500 else None

    def kill_and_ask_again(_):
        (plugin,) = children(stack.vault.part.pid)
        os.kill(plugin, signal.SIGKILL)
        again.append(product.until(answered, "an answer of the next process", 4))

    hook.act = kill_and_ask_again
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    first = product.rotate(account)
    product.until(lambda: product.version(account) == 2, "version 2")
    assert (again[0].status, again[0].data.get("joined")) == (200, True), again
    # Where the server asked the next process itself, the same request is the same rotation.
    assert first.status == 500 or first.data["rotation_id"] == again[0].data["rotation_id"], first
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

    def refused():
        answer = product.rotate(account)
        # A plugin that was started a moment ago does not know what the one before it may have passed on.
        return answer if (answer.status, answer.data.get("state")) != (200, "unknown") else None

    answer = product.until(refused, "a plugin that is old enough to know")
    assert answer.status == 503
    assert len(answer.body["errors"]) == 1
    assert "sidecar" in answer.sentences
    assert answer.body["remedy"]
    assert product.counted(account)["password_changes"] == 0
