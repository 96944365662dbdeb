"""The rendered files, by a real agent, read back by those who read such files."""

import json
import shutil
import subprocess

import pytest
from agent import Agent, documented
from crowd import EXAMPLES

from vault_salesforce.policy import policy

pytestmark = pytest.mark.system

JAVA, COMPILER = shutil.which("java"), shutil.which("javac")

# What shells, JSON and property files give a meaning to.
AWKWARD = ' It\'s "50%" of \\n $HOME #1=a:b! '
FIELDS = {"USERNAME": "username", "PASSWORD": "password", "SECURITY_TOKEN": "security_token", "LOGIN_URL": "login_url"}
READER = """import java.io.*; import java.util.*;
public class Show { public static void main(String[] given) throws IOException {
    Properties read = new Properties();
    try (FileReader from = new FileReader(given[0])) { read.load(from); }
    for (String name : new TreeSet<>(read.stringPropertyNames())) {
        System.out.print(name + "\\0" + read.getProperty(name) + "\\0");
    } } }"""


@pytest.fixture
def rendered(product, tmp_path):
    """A folder with the files of all three templates, and the credential that they were rendered from."""
    account = product.role(product.user(password=AWKWARD), password=AWKWARD)
    product.vault.ask(
        "PUT", f"v1/sys/policies/acl/files-{account.role}", {"policy": policy("consumer", role=account.role)}
    )
    login = f"v1/auth/approle/role/files-{account.role}"
    product.vault.ask("POST", login, {"token_policies": [f"files-{account.role}"], "token_period": "1h"})
    (tmp_path / "role-id").write_text(product.vault.ask("GET", f"{login}/role-id").data["role_id"])
    (tmp_path / "secret-id").write_text(product.vault.ask("POST", f"{login}/secret-id", {}).data["secret_id"])
    templates = "".join(path.read_text() for path in sorted((EXAMPLES / "agent").glob("*.hcl")))
    text = f"exit_after_auth = true\n{documented('/etc/crm/agent.hcl')}{templates}"
    for written, here in {
        "https://vault.example.com:8200": product.stack.vault.address,
        "/etc/crm": str(tmp_path),
        "/run/crm": str(tmp_path),
        "/crm`": f"/{account.role}`",
    }.items():
        text = text.replace(written, here)
    done = Agent(tmp_path / "agent", text).once()
    assert done.returncode == 0, done.stderr
    return tmp_path, product.static_creds(account)


def test_each_file_gives_back_what_vault_holds(rendered):
    folder, held = rendered
    assert held["password"] == AWKWARD
    assert json.loads((folder / "salesforce.json").read_text()) == held

    script = 'set -eu; set -a; . "$1"; exec env -0'
    shell = ("env", "-i", "PATH=/usr/bin:/bin", "sh", "-c", script, "sh", folder / "salesforce.env")
    given = subprocess.run(shell, capture_output=True, text=True, check=True).stdout.split("\0")
    variables = dict(line.split("=", 1) for line in given if line.startswith("SALESFORCE_"))
    wanted = {f"SALESFORCE_{name}": held[field] for name, field in FIELDS.items()}
    assert variables == wanted | {"SALESFORCE_VERSION": str(held["version"])}


@pytest.mark.skipif(not (JAVA and COMPILER), reason="no Java compiler is installed")
def test_the_properties_give_back_what_vault_holds(rendered):
    folder, held = rendered
    (folder / "Show.java").write_text(READER)
    subprocess.run((COMPILER, "-d", folder, folder / "Show.java"), check=True)
    command = (JAVA, "-XX:-UsePerfData", "-cp", folder, "Show", folder / "salesforce.properties")
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]
    assert dict(zip(said[::2], said[1::2], strict=True)) == {
        "salesforce.username": held["username"],
        "salesforce.password": held["password"],
        "salesforce.securityToken": held["security_token"],
        "salesforce.loginUrl": held["login_url"],
        "salesforce.version": str(held["version"]),
    }
