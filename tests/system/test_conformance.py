"""The engine's own answers, on every path that apps read, keep the rules of those who read them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from vault_salesforce import conformance

pytestmark = pytest.mark.system

COMMAND = Path(sys.executable).with_name("vault-salesforce")


def judge(product, path, readings=2, token=None):
    vault = product.stack.vault
    environ = {"BAO_ADDR": vault.address, "BAO_TOKEN": token or vault.root_token, "PATH": os.environ["PATH"]}
    return subprocess.run(
        (COMMAND, "conformance", path, f"--readings={readings}"),
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("hints", ["poll", "ttl"])
def test_what_apps_read_keeps_the_rules_of_agents_and_operators(product, hints):
    account = product.account(consumer_hints=hints, rotation_period="1h", rotate_on_lease_end="never")

    for path in ("sf/static-creds/{}", "sf/creds/{}", "salesforce/data/creds/{}"):
        judged = judge(product, path.format(account.role))
        assert judged.returncode == 0, judged.stdout + judged.stderr
        assert " 0 broken" in judged.stdout
        assert " of 1 version: rotate meanwhile" in judged.stdout


class RotatingMeanwhile:
    """The server, with a rotation between the second reading and the third."""

    def __init__(self, product, account):
        self.product, self.account, self.readings = product, account, 0

    def ask(self, method, path, body=None):
        self.readings += method == "GET"
        if self.readings == 3:
            assert self.product.rotate(self.account).data["done"] is True
        return self.product.vault.ask(method, path, body)


@pytest.mark.parametrize("hints", ["poll", "ttl"])
def test_a_new_version_arrives_by_the_rules_of_agents_and_operators(product, hints, capsys):
    account = product.account(consumer_hints=hints, rotation_period="1h", rotate_on_lease_end="never")

    for path in ("sf/static-creds/{}", "sf/creds/{}", "salesforce/data/creds/{}"):
        readings = conformance.read(RotatingMeanwhile(product, account), path.format(account.role), 4)

        assert conformance.report(readings) is True, capsys.readouterr().out
        assert " of 2 versions" in capsys.readouterr().out


def test_a_path_that_breaks_a_rule_fails_the_command(product):
    product.vault.ask("POST", "v1/salesforce-engine/data/wrong", {"data": {"ttl": "5m"}, "options": {"cas": 0}})

    judged = judge(product, "salesforce-engine/data/wrong")

    assert judged.returncode == 1
    assert "FAIL  Agent: ttl is a whole number" in judged.stdout


def test_what_cannot_be_read_is_one_sentence(product):
    judged = judge(product, "sf/static-creds/nobody")

    assert judged.returncode == 1
    assert judged.stderr.startswith("Error: sf/static-creds/nobody cannot be judged: ")
    assert "Traceback" not in judged.stderr
