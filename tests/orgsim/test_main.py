"""The program, run as one would run it."""

import json
import os
import signal
import subprocess
import sys

import pytest
import requests
from click.testing import CliRunner

from salesforce_orgsim.__main__ import main
from salesforce_orgsim.settings import DEFAULT_PASSWORD, DEFAULT_SECURITY_TOKEN, DEFAULT_USERNAME

PATIENCE = 20
PROGRAM = [sys.executable, "-m", "salesforce_orgsim"]


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"users": [{"username": "a@b.example", "password": "Some-pass-1"}]}))
    return path


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_one_line_of_json_is_printed_and_a_signal_ends_it_cleanly(config, tmp_path, number):
    command = [*PROGRAM, "--json", "--config", str(config), "--maildir", str(tmp_path / "mail")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        line = process.stdout.readline()
        address = json.loads(line)
        users = requests.request("GET", f"{address['control_url']}/users", timeout=PATIENCE).json()
        os.kill(address["pid"], number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (0, "", "")
    assert address["pid"] == process.pid
    assert [user["username"] for user in users] == ["a@b.example"]


def test_the_help_names_the_default_users_credential():
    text = CliRunner().invoke(main, ["--help"]).output
    assert all(part in text for part in (DEFAULT_USERNAME, DEFAULT_PASSWORD, DEFAULT_SECURITY_TOKEN))


@pytest.mark.parametrize(
    ("content", "part"),
    [("{", "Expecting"), ('{"users": [{}]}', "users[0].username is missing"), ('{"misbehave": {"x": 1}}', "no 'x'")],
)
def test_a_configuration_that_cannot_be_used_is_an_error(config, content, part):
    config.write_text(content)
    result = CliRunner().invoke(main, ["--config", str(config)])
    assert result.exit_code == 1
    assert part in result.output


@pytest.mark.parametrize("address", ["nonsense", ":25", "127.0.0.1:x"])
def test_a_mail_server_is_a_host_and_a_port(address):
    result = CliRunner().invoke(main, ["--smtp", address])
    assert result.exit_code == 2
    assert "HOST:PORT" in result.output


def test_certificate_and_key_go_together(config):
    result = CliRunner().invoke(main, ["--tls-cert", str(config)])
    assert result.exit_code == 2
