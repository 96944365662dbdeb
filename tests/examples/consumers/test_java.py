"""The example in Java: compiled against the standard library alone, and run with a Vault of the test's own."""

import http.server
import json
import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest
import urllib3
from crowd import EXAMPLES, WORKERS

JAVA, COMPILER = shutil.which("java"), shutil.which("javac")
pytestmark = pytest.mark.skipif(not (JAVA and COMPILER), reason="no Java compiler is installed")
END_SECONDS = 60


@contextmanager
def vault(answers):
    """What a proxy answers at `sf/version/<role>`, as the servers write it: sorted, without spaces."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            data = answers.pop(0) if len(answers) > 1 else answers[0]
            body = json.dumps({"data": data, "renewable": False}, sort_keys=True, separators=(",", ":")).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args):
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1/sf/version/crm"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def render(file, version):
    file.write_text(f"salesforce.version={version}\nsalesforce.password=p{version}\n")


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """The command that runs a program built on the example."""
    classes = tmp_path_factory.mktemp("classes")
    sources = (EXAMPLES / "java" / "SalesforceLogin.java", WORKERS / "JavaApp.java")
    subprocess.run((COMPILER, "-Xlint:all", "-Werror", "-d", classes, *sources), check=True)
    return (JAVA, "-XX:-UsePerfData", "-XX:TieredStopAtLevel=1", "-cp", classes, "JavaApp")


def test_a_version_that_was_refused_is_not_tried_again_and_a_newer_one_is(app, tmp_path):
    rendered = tmp_path / "salesforce.properties"
    render(rendered, 1)
    time = "2030-01-31T09:00:00Z"
    calm = {"changing": False, "last_vault_rotation": time, "version": 1}
    answers = [calm, calm | {"version": 2}]
    with (
        vault(answers) as url,
        subprocess.Popen((*app, rendered, url), stdout=subprocess.PIPE, text=True) as running,
    ):
        assert running.stdout.readline() == "1 p1\n"  # refused
        render(rendered, 2)
        assert running.communicate(timeout=END_SECONDS)[0] == "2 p2\nin\n"


@pytest.mark.system
def test_the_servers_write_an_answer_as_the_example_takes_it(product):
    account, token = product.account(), {"X-Vault-Token": product.stack.vault.root_token}
    url = f"{product.vault.url}/v1/sf/version/{account.role}"
    text = urllib3.request("GET", url, headers=token, retries=False, timeout=END_SECONDS).data.decode()
    # As Go writes JSON: members sorted, no spaces. The text itself is what the example looks at.
    assert '"changing":false,' in text
    assert '"version":1}' in text


def test_nothing_is_tried_while_the_version_is_changing_or_is_not_the_rendered_one(app, tmp_path):
    rendered = tmp_path / "salesforce.properties"
    render(rendered, 2)
    answers = [{"changing": True, "version": 2}, {"changing": False, "version": 21}, {"changing": False, "version": 2}]
    with vault(answers) as url:
        done = subprocess.run((*app, rendered, url), capture_output=True, text=True, timeout=END_SECONDS, check=True)
    assert done.stdout == "2 p2\nin\n"
    assert answers == [{"changing": False, "version": 2}]
