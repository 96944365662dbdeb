"""The sidecar's process, as it is started: against a real server on which no plugin is mounted."""

import contextlib
import json
import os
import resource
import signal
import socket
import ssl
import threading
from pathlib import Path

import pytest
import urllib3
from sidecar_process import PATIENCE_SECONDS, Process, address_of, environ_of, trusting

USUAL_OPEN_FILES = 1024  # what systemd gives a service
OUTGOING = 400  # more of them than are connections to Vault and Salesforce, by default
CROWD = 1600


@pytest.fixture
def environ(server, tmp_path):
    return environ_of(server, tmp_path)


@pytest.fixture
def start(environ):
    started = []

    def begin(**more):
        started.append(Process(environ | more))
        return started[-1]

    yield begin
    for process in started:
        process.popen.kill()
        process.popen.wait(PATIENCE_SECONDS)
        assert process.ended()


@pytest.fixture
def many_files():
    """This process may open a crowd's sockets."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], CROWD * 2), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def is_gone(pid):
    """Wait, with an end, until a process is no more, or waits for nothing but to be buried."""
    pause = threading.Event()
    for _ in range(PATIENCE_SECONDS * 20):
        try:
            status = Path(f"/proc/{pid}/status").read_text()
        except (FileNotFoundError, ProcessLookupError):
            return True
        if "State:\tZ" in status:
            return True
        pause.wait(0.05)
    return False


def ask(url, path):
    """Status and JSON of a probe, over TLS that trusts the certificate found there and no other."""
    context = trusting(url)
    with urllib3.PoolManager(ssl_context=context, retries=False, timeout=10) as pool:
        answer = pool.request("GET", url + path)
        return answer.status, json.loads(answer.data)


def test_wrong_settings_are_all_listed_and_nothing_is_started(start):
    process = start(VAULT_SALESFORCE_SLOTS="many", VAULT_SALESFORCE_MOUNT="")
    process.popen.wait(PATIENCE_SECONDS)
    assert process.ended()
    assert process.popen.returncode == 2
    assert process.lines == ["vault-salesforce sidecar: VAULT_SALESFORCE_SLOTS must be a whole number\n"]


def test_it_comes_up_and_says_what_it_lacks(start, tmp_path):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    process.logged("heartbeat_failed")
    assert ask(url, "/health/live") == (200, {"live": True})
    status, body = ask(url, "/health/ready")
    assert (status, body["ready"]) == (503, False)
    assert "sf/sidecar/one" in body["reason"]
    assert not (tmp_path / "ready.json").exists()


def test_peers_that_dribble_hold_up_nobody(start):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    context = trusting(url)
    crowd = [socket.create_connection(address_of(url)) for _ in range(40)]
    crowd += [context.wrap_socket(socket.create_connection(address_of(url)), server_hostname="127.0.0.1")]
    for connection in crowd[20:40]:
        connection.sendall(b"\x16\x03")
    crowd[-1].sendall(b"POST /v1/rotate/crm HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{")
    assert ask(url, "/health/live")[0] == 200
    # The one in the midst of its request has not been given up meanwhile: nobody's time was over first.
    crowd[-1].sendall(b"}")
    assert crowd[-1].recv(12) == b"HTTP/1.1 401"
    for connection in crowd:
        connection.close()


def hello():
    """The first words of a TLS client."""
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="sidecar.example.com")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def test_a_crowd_does_not_use_up_the_files_that_a_process_may_open(start, many_files):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    worker = process.worker()
    _, most = resource.prlimit(worker, resource.RLIMIT_NOFILE)
    resource.prlimit(worker, resource.RLIMIT_NOFILE, (USUAL_OPEN_FILES - OUTGOING, most))
    begins = hello()
    crowd = []
    for _ in range(CROWD):
        peer = socket.socket()
        peer.setblocking(False)
        peer.connect_ex(address_of(url))
        with contextlib.suppress(OSError):
            peer.send(begins)
        crowd.append(peer)
    process.logged("too_many_connections")
    for peer in crowd:
        peer.close()
    assert ask(url, "/health/live") == (200, {"live": True})
    assert process.worker() == worker


def test_it_ends_in_its_own_time(start, server):
    process = start()
    process.logged("up")
    process.popen.send_signal(signal.SIGTERM)
    assert process.popen.wait(PATIENCE_SECONDS) == 0
    assert process.ended()
    process.logged("stopped")
    assert server.root_token not in "".join(process.lines)
    assert "Traceback" not in "".join(process.lines)


def test_ctrl_c_ends_it_too(start):
    process = start()
    process.logged("up")
    os.kill(process.worker(), signal.SIGINT)
    process.popen.send_signal(signal.SIGINT)
    assert process.popen.wait(PATIENCE_SECONDS / 2) == 0
    assert process.ended()


def test_its_worker_dies_with_it(start):
    process = start()
    process.logged("up")
    worker = process.worker()
    process.popen.kill()
    assert process.ended()
    assert is_gone(worker)


def test_a_worker_that_dies_is_replaced_with_the_same_certificate(start):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    address = address_of(url)
    before, worker = ssl.get_server_certificate(address), process.worker()
    process.lines.clear()
    os.kill(worker, signal.SIGKILL)
    process.logged("up")
    assert process.worker() != worker
    assert ssl.get_server_certificate(address) == before


def test_a_reload_changes_the_worker_and_nothing_else(start):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    worker = process.worker()
    process.lines.clear()
    process.popen.send_signal(signal.SIGHUP)
    process.logged("up")
    process.logged("stopped")
    assert ask(url, "/health/live")[0] == 200
    assert is_gone(worker)
    assert process.worker() != worker


def test_what_it_leaves_behind_is_nothing(start, tmp_path):
    before = set(tmp_path.iterdir())
    process = start()
    process.logged("up")
    process.popen.send_signal(signal.SIGTERM)
    process.popen.wait(PATIENCE_SECONDS)
    assert set(tmp_path.iterdir()) == before


def test_a_port_that_is_taken_is_said_in_a_sentence(start):
    port = start().logged("listening")["url"].rpartition(":")[2]
    second = start(VAULT_SALESFORCE_LISTEN_PORT=port)
    second.popen.wait(PATIENCE_SECONDS)
    assert second.ended()
    assert second.popen.returncode == 1
    assert second.lines == [f"vault-salesforce sidecar: cannot listen at 127.0.0.1:{port}: Address already in use\n"]


def test_neither_of_its_processes_leaves_a_core_and_its_file_is_its_users_alone(start, tmp_path):
    process = start()
    url = process.logged("listening")["url"]
    process.logged("up")
    for pid in (process.popen.pid, process.worker()):
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
        assert "Umask:\t0077" in Path(f"/proc/{pid}/status").read_text()
        if os.geteuid() != 0:
            assert Path(f"/proc/{pid}/environ").stat().st_uid == 0  # the kernel's, not the user's
    worker = process.worker()
    os.kill(worker, signal.SIGSEGV)
    assert is_gone(worker)
    assert ask(url, "/health/live")[0] == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["token"]
