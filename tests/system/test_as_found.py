"""The README's steps, as typed, on a server that nobody prepared: `bao server -dev` with a plugin directory."""

import json
import os
import re
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
import urllib3
from typed import commands, section

from vault_salesforce.dev import client
from vault_salesforce.dev.openbao import BAO
from vault_salesforce.dev.orgsim import OrgSim, User
from vault_salesforce.dev.part import _LEASH
from vault_salesforce.dev.ports import free_ports
from vault_salesforce.dev.waiting import until

pytestmark = pytest.mark.system

README = Path(__file__).parents[2] / "README.md"
USER = User("integration@example.com", "Start-1-as-found")


def steps():
    """The commands of the README's chapter about setting it up, continuation lines joined."""
    chapter = README.read_text().partition("## Setting it up")[2].partition("\n## ")[0]
    blocks = re.findall(r"```console\n(.*?)```", chapter, re.DOTALL)
    lines = [re.sub(r"\\\n\s*", "", block) for block in blocks]
    return [command for block in lines for command in re.findall(r"^\$ (.*)$", block, re.MULTILINE)]


class Found:
    """A server as it is found, an org, and the shell of somebody who reads the README."""

    def __init__(self, directory, *, tls):
        self.directory, self.tls = directory, tls
        self.plugins, self.home = directory / "plugins", directory / "home"
        for path in (self.plugins, self.home, directory / "orgsim"):
            path.mkdir()
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        self.environment = {"PATH": path, "HOME": str(self.home), "TMPDIR": str(self.home)}
        self.orgsim = OrgSim(directory / "orgsim", self.environment, lambda _: None, lambda: [USER])
        self.programs = []

    def start(self):
        port = free_ports(2)
        extra = self.directory / "extra.hcl"
        extra.write_text(f'plugin_directory = "{self.plugins}"\n')
        certificates = ("-dev-tls", f"-dev-tls-cert-dir={self.directory}") if self.tls else ("-dev",)
        command = ("server", *certificates, "-dev-no-store-token", "-dev-root-token-id=root", f"-config={extra}")
        self.server = self.run_beside(BAO, *command, f"-dev-listen-address=127.0.0.1:{port}")
        address = f"127.0.0.1:{port}"
        self.environment["BAO_ADDR"] = self.environment["VAULT_ADDR"] = f"http{'s' if self.tls else ''}://{address}"
        self.environment["BAO_TOKEN"] = "root"
        if self.tls:
            self.environment["BAO_CACERT"] = str(self.directory / "vault-ca.pem")
        until(lambda: self.bao("secrets", "list").returncode == 0, "the server")
        self.orgsim.start([USER])

    def run_beside(self, *command):
        """Start a program that runs until `stop`, and dies with us."""
        log = (self.directory / "log").open("ab")
        with log:
            leash = (sys.executable, "-I", "-S", str(_LEASH), str(os.getpid()))
            program = subprocess.Popen(
                (*leash, *command),
                env=self.environment,
                cwd=self.home,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.programs.append(program)
        return program

    def shell(self, command):
        """One line, as typed; what it printed."""
        done = subprocess.run(
            ("/bin/bash", "-o", "pipefail", "-c", command),
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}\n{self.log()}"
        return done.stdout

    def bao(self, *arguments):
        return subprocess.run(
            (BAO, *arguments), env=self.environment, cwd=self.home, capture_output=True, text=True, check=False
        )

    def log(self):
        return (self.directory / "log").read_text()[-6000:]

    def stop(self):
        for program in reversed(self.programs):
            program.terminate()
            program.wait(15)
        self.orgsim.stop()


@pytest.fixture(params=[False, True], ids=["plain", "TLS"])
def found(request):
    with tempfile.TemporaryDirectory() as directory:  # short: the plugin's sockets have long names
        made = Found(Path(directory).resolve(), tls=request.param)
        made.start()
        yield made
        made.stop()


class Reader:
    """Somebody who does what the README says, with their own names and addresses."""

    def __init__(self, found):
        self.found = found
        self.printed = self.advice = self.role_id = ""
        self.settings = {}
        (found.home / "password.txt").write_text(USER.password)

    def do(self, command):
        """One step."""
        found = self.found
        for there, here in {
            "<plugin_directory of the server>": str(found.plugins),
            "https://example.my.salesforce.com": found.orgsim.url,
            "<role_id>": self.role_id,
            "<consumer key>": "the-app",
        }.items():
            command = command.replace(there, here)
        if " sf/config/prod " in command:
            self.set_up_salesforce()
        if "…" in command:  # as printed
            begin = re.escape(command.partition("…")[0])
            command = re.search(rf"^ *({begin}.*)$", self.advice, re.MULTILINE)[1]
        if command.startswith("export "):
            self.settings = dict(pair.split("=", 1) for pair in command.split()[1:])
        elif command == "vault-salesforce sidecar":
            self.run_sidecar()
        else:
            self.printed = found.shell(command)
        if " install-plugin " in command:
            self.advice = self.printed
        if "-field=role_id" in command:
            self.role_id = self.printed.strip()

    def set_up_salesforce(self):
        """The clicks that the chapter points to, and the key that is made for them."""
        make_key, *_ = commands(section("salesforce-setup.md", "Level 1: the app as the user"))
        self.found.shell(make_key)
        app = {"client_id": "the-app", "certificate": (self.found.home / "app.crt").read_text()}
        org = self.found.orgsim.control()
        org.ask("POST", "apps", app | {"preauthorized_users": [USER.username]})
        org.ask("PATCH", "org", {"trusted_ranges": ["127.0.0.1"]})

    def version(self):
        return self.found.bao("read", "-field=version", "sf/version/crm").stdout.strip()

    def run_sidecar(self):
        """With the README's settings, but for where it listens and which server it is told of."""
        found, port = self.found, free_ports(1)
        here = {"VAULT_ADDR": found.environment["VAULT_ADDR"], "LISTEN_HOST": "127.0.0.1", "LISTEN_PORT": str(port)}
        here["ADVERTISED_URL"] = f"https://127.0.0.1:{port}"
        self.settings |= {f"VAULT_SALESFORCE_{name}": value for name, value in here.items()}
        found.environment |= self.settings
        if found.tls:
            self.refuses_without_the_authority(port)
            found.environment["VAULT_SALESFORCE_VAULT_CA_CERT"] = found.environment["BAO_CACERT"]
        sidecar = found.run_beside(sys.executable, "-m", "vault_salesforce", "sidecar")
        until(lambda: '"usable":true' in self.info() or sidecar.poll(), "its registration")
        assert sidecar.poll() is None, found.log()

    def refuses_without_the_authority(self, port):
        doubting = self.found.run_beside(sys.executable, "-m", "vault_salesforce", "sidecar")
        until(lambda: "its certificate was not accepted" in readiness(port), "its doubts")
        doubting.terminate()
        doubting.wait(15)

    def info(self):
        return re.sub(r"\s", "", self.found.bao("read", "-format=json", "sf/info").stdout)


def readiness(port):
    """What the sidecar says of itself; empty while it does not listen."""
    try:
        certificate = ssl.get_server_certificate(("127.0.0.1", port))
        trusting = ssl.create_default_context(cadata=certificate)
        with urllib3.PoolManager(ssl_context=trusting, retries=False) as pool:
            return pool.request("GET", f"https://127.0.0.1:{port}/health/ready").data.decode()
    except OSError:
        return ""


def children(pid):
    """Processes whose parent is this one."""
    listed = Path(f"/proc/{pid}/task").glob("*/children")
    return {int(child) for children in listed for child in children.read_text().split()}


def test_the_steps_of_the_readme_are_all_it_takes(found):
    reader = Reader(found)
    for command in steps():
        reader.do(command)
    assert reader.version() == "2"
    credential = json.loads(found.bao("read", "-format=json", "sf/static-creds/crm").stdout)["data"]
    given = (credential["username"], credential["password"], credential["security_token"])
    assert client.log_in(found.orgsim.url, *given) == "Orgsim"
    assert client.log_in(found.orgsim.url, USER.username, USER.password, credential["security_token"]) is None

    (plugin,) = children(found.server.pid)
    found.server.kill()
    until(lambda: not Path(f"/proc/{plugin}").exists(), "the end of the plugin, which nobody owns any more")
