"""Starting and stopping on real ports."""

import socket
from threading import Thread

import pytest
import requests
import trustme

from salesforce_orgsim.clock import OrgClock
from salesforce_orgsim.reading import SettingsError
from salesforce_orgsim.serve import TlsFiles, start
from salesforce_orgsim.settings import DEFAULT_USERNAME, Config, UserSettings

PATIENCE = 10


def get(url, **how):
    return requests.request("GET", url, timeout=PATIENCE, **how)


def test_a_simulator_answers_on_two_loopback_ports_until_it_is_stopped():
    with start() as running:
        assert running.address().keys() == {"url", "control_url", "pid"}
        assert running.url.startswith("http://127.0.0.1:")
        assert get(f"{running.url}/services/data").status_code == 200
        assert get(f"{running.control_url}/users").json()[0]["username"] == DEFAULT_USERNAME
    with pytest.raises(requests.ConnectionError):
        get(f"{running.url}/services/data")
    running.stop()


def test_a_config_a_clock_and_a_maildir_can_be_handed_in(tmp_path):
    config = Config(users=(UserSettings("a@b.example", "Some-pass-1"),))
    clock = OrgClock()
    with start(config, maildir=tmp_path / "mail", clock=clock) as running:
        assert running.org.clock is clock
        assert running.org.user("a@b.example")
    assert (tmp_path / "mail" / "new").is_dir()


def test_a_config_that_cannot_be_used_opens_no_port():
    with pytest.raises(SettingsError):
        start({"users": [{}]})


def test_a_port_that_is_taken_is_an_error_of_the_system():
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        start(control_port=taken.getsockname()[1])


def test_stopping_lets_go_of_held_connections(eventually):
    running = start({"misbehave": {"silent": 3600}})
    failures = []

    def ask():
        try:
            get(f"{running.url}/services/data")
        except requests.ConnectionError as error:
            failures.append(error)

    thread = Thread(target=ask)
    thread.start()
    eventually(lambda: running.world.log.since(0))
    running.stop()
    thread.join(5)
    assert len(failures) == 1


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    leaf = authority.issue_cert("127.0.0.1")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    leaf.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    leaf.private_key_pem.write_to_path(folder / "key.pem")
    return folder


def test_with_a_certificate_the_vendors_port_speaks_tls(tls):
    with start(tls=TlsFiles(tls / "cert.pem", tls / "key.pem")) as running:
        assert running.url.startswith("https://127.0.0.1:")
        assert running.control_url.startswith("http://")
        assert get(f"{running.url}/services/data", verify=str(tls / "ca.pem")).status_code == 200


def test_an_org_may_demand_a_client_certificate(tls):
    files = TlsFiles(tls / "cert.pem", tls / "key.pem", tls / "ca.pem")
    with start({"org": {"mutual_authentication": True}}, tls=files) as running:
        url, trust = f"{running.url}/services/data", {"verify": str(tls / "ca.pem")}
        refused = get(url, **trust)
        assert (refused.status_code, refused.json()[0]["errorCode"]) == (403, "MUTUAL_AUTHENTICATION_FAILED")
        assert get(url, cert=(str(tls / "cert.pem"), str(tls / "key.pem")), **trust).status_code == 200


def test_a_client_that_never_shakes_hands_does_not_keep_others_out(tls):
    with start(tls=TlsFiles(tls / "cert.pem", tls / "key.pem")) as running:
        port = int(running.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)):
            assert get(f"{running.url}/services/data", verify=str(tls / "ca.pem")).status_code == 200


def test_tls_connections_are_held_and_broken_too(tls):
    knobs = {"silent": {"seconds": 0.05, "times": 1}}
    with start({"misbehave": knobs}, tls=TlsFiles(tls / "cert.pem", tls / "key.pem")) as running:
        with pytest.raises(requests.ConnectionError):
            get(f"{running.url}/services/data", verify=str(tls / "ca.pem"))
        assert get(f"{running.url}/services/data", verify=str(tls / "ca.pem")).status_code == 200
