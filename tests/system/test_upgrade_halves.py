"""Plugin and sidecars of different releases beside each other, and sidecars that are replaced one by one."""

import hashlib
import threading
from functools import partial

import pytest
import releases

from vault_salesforce_contract.registration import CONTRACT, OLDEST_CONTRACT
from vault_salesforce_plugin import __version__
from vault_salesforce_plugin.install import NAME

pytestmark = pytest.mark.system

OURS, OTHER = f"v{__version__}", "v9.9.8"


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Another release of the plugin, whose contract a test sets."""
    return releases.make(tmp_path_factory.mktemp("other") / "venv", OTHER.removeprefix("v"))


@pytest.fixture
def run_plugin(product, stack, installed):
    """Runs a plugin that speaks other numbers of the contract; ours afterwards."""

    def switch(version):
        product.vault.ask("POST", "v1/sys/mounts/sf/tune", {"plugin_version": version})
        product.vault.ask("PUT", "v1/sys/plugins/reload/backend", {"mounts": ["sf/"]})
        assert product.vault.ask("GET", "v1/sys/mounts/sf").data["running_plugin_version"] == version

    def run(newest, oldest):
        releases.set_contract(installed, newest, oldest)
        launcher = installed.launcher(stack.vault.plugins)
        entry = {"command": launcher.name, "version": OTHER}
        entry["sha256"] = hashlib.sha256(launcher.read_bytes()).hexdigest()
        product.vault.ask("PUT", f"v1/sys/plugins/catalog/secret/{NAME}", entry)
        switch(OTHER)

    yield run
    switch(OURS)
    product.until(lambda: all(one["usable"] for one in sidecars(product)), "every sidecar at our plugin again")


def info(product):
    return product.vault.ask("GET", "v1/sf/info").data


def sidecars(product):
    return list(info(product)["sidecars"].values())


def test_a_newer_plugin_that_still_understands_the_sidecars_works_with_them(product, run_plugin):
    account = product.account()
    run_plugin(CONTRACT + 2, OLDEST_CONTRACT)
    assert info(product)["contract"] == CONTRACT + 2
    assert product.rotate(account, wait=10).data["done"] is True
    assert product.is_live(account)
    assert all(one["compatible"] for one in sidecars(product))


@pytest.mark.parametrize(
    ("newest", "oldest", "half"),
    [(CONTRACT + 2, CONTRACT + 1, "sidecar"), (OLDEST_CONTRACT - 1, OLDEST_CONTRACT - 1, "plugin")],
    ids=["the plugin is too new", "the plugin is too old"],
)
def test_halves_that_do_not_understand_each_other_say_which_one_to_upgrade(product, run_plugin, newest, oldest, half):
    account = product.account()
    before = product.static_creds(account)
    run_plugin(newest, oldest)
    product.until(lambda: info(product)["next_step"].startswith(f"upgrade the {half}: "), "the step that mends it")
    assert not any(one["usable"] for one in sidecars(product))
    refused = product.rotate(account)
    assert refused.status == 503
    assert product.counted(account)["password_changes"] == 0
    assert product.static_creds(account) == before
    for sidecar in product.stack.sidecars:
        logs = (sidecar.part.output, sidecar.part.errors)
        told = partial(_is_told, logs, f"upgrade the {half}")
        product.until(told, "the same in the sidecar's log, with its next heartbeat")


def _is_told(logs, sentence):
    return any(sentence in log.read_text() for log in logs)


def test_the_sidecar_that_follows_ends_what_the_one_before_it_began(product, stack, hook):
    """The field stands for what another release may have added; it is there when the rotation is over."""
    account = product.account()
    stopping = threading.Thread(target=stack.sidecar.stop)
    hook.act = lambda _: stopping.start()
    product.misbehave(account, hook_url={"url": hook.url, "times": 1})
    asked = product.rotate_meanwhile(account)
    try:
        assert hook.called.wait(20)
        stopping.join()
        asked.result()
        left = product.journal(account)
        assert left["holder"] == ""
        assert left["state"] in {"checking", "applying", "proving", "publishing"}
        path = f"v1/salesforce-engine/data/journal/{account.username.replace('@', '%2540')}"
        version = product.vault.ask("GET", path).data["metadata"]["version"]
        product.vault.ask("POST", path, {"data": left | {"invented_later": "kept"}, "options": {"cas": version}})
    finally:
        stack.sidecar.restart()
    product.until(lambda: product.version(account) == 2, "version 2")
    assert product.is_live(account)
    product.until(lambda: product.journal(account)["state"] == "settled", "the end")
    ended = product.journal(account)
    assert (ended["invented_later"], ended["rotation_id"]) == ("kept", left["rotation_id"])
    assert product.counted(account)["lockouts"] == 0
