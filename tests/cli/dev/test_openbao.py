"""The server comes up from an empty directory, and after a restart it is unsealed and holds what it held."""

import signal

import pytest

from vault_salesforce.dev.openbao import OpenBao

pytestmark = pytest.mark.system


@pytest.fixture
def server(tmp_path):
    (tmp_path / "home").mkdir()
    made = OpenBao(tmp_path.resolve(), {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path / "home")}, lambda _: None)
    made.start()
    yield made
    made.stop()


def test_what_it_held_is_there_after_it_was_killed_and_after_it_was_stopped(server, tmp_path):
    vault = server.api(server.root_token)
    vault.ask("PUT", "v1/cubbyhole/a", {"b": "c"})
    first = server.part.pid
    server.part.signal(signal.SIGKILL, group=True)
    server.part.wait(lambda: server.part.pid not in (0, first) and server.active())
    assert vault.ask("GET", "v1/cubbyhole/a").data == {"b": "c"}
    server.stop()
    server.restart()
    assert vault.ask("GET", "v1/cubbyhole/a").data == {"b": "c"}
    assert list((tmp_path / "home").iterdir()) == []
    assert (tmp_path / "unseal.key").stat().st_mode & 0o077 == 0
