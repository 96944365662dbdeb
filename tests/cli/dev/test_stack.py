"""The stack's own directory, and how a program that runs a stack is ended."""

import os
import signal
import tempfile
from pathlib import Path

import pytest

from vault_salesforce.dev.stack import Stack, leaving_on_signals


def test_a_stack_that_was_never_started_leaves_nothing():
    with Stack(tell=lambda _: None) as stack:
        assert stack.directory.stat().st_mode & 0o077 == 0
    assert not stack.directory.exists()


def test_its_sockets_have_room_even_where_temporary_files_have_a_long_path(tmp_path, monkeypatch):
    place = tmp_path / ("long" * 20)
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with Stack(tell=lambda _: None) as stack:
        assert stack.directory.parent == Path("/tmp")  # noqa: S108 - the place that is always short
    assert list(place.iterdir()) == []


def test_its_parts_inherit_nothing_of_ours(monkeypatch):
    monkeypatch.setenv("BAO_TOKEN", "ours")
    monkeypatch.setenv("https_proxy", "http://proxy.example")
    with Stack(tell=lambda _: None) as stack:
        environment = stack.vault.environment_of_cli("theirs")
    assert environment["BAO_TOKEN"] == "theirs"
    assert set(environment) == {"PATH", "HOME", "TMPDIR", "LANG", "BAO_ADDR", "BAO_TOKEN"}


def end_twice(done):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os.kill(os.getpid(), signal.SIGTERM)
        done.append("put away")


@pytest.mark.parametrize(("meant", "code"), [(True, 0), (False, 128 + signal.SIGTERM)])
def test_the_first_signal_ends_the_program_in_order_and_further_ones_do_not_disturb_that(meant, code):
    done = []
    with pytest.raises(SystemExit) as ended, leaving_on_signals(meant=meant):
        end_twice(done)
    assert ended.value.code == code
    assert done == ["put away"]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
