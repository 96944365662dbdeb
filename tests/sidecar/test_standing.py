"""What a sidecar remembers over its own restarts."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "rotation"))

from fakes import ManualClock

from vault_salesforce_sidecar.standing import FILE_NAME, WRITE_SECONDS, Standing


@pytest.fixture
def clock():
    return ManualClock()


def test_a_sidecar_without_a_state_directory_remembers_nothing(clock):
    standing = Standing("", clock)
    standing.note(5)
    assert standing.remembered("here") == 0


def test_what_was_written_is_known_after_a_restart_in_this_installation_alone(tmp_path, clock):
    standing = Standing(str(tmp_path / "state"), clock)
    assert standing.remembered("here") == 0
    standing.note(None)
    standing.note(5)
    standing.note(6)  # so soon after the last one nothing is written
    assert Standing(str(tmp_path / "state"), clock).remembered("here") == 5
    clock.seconds += WRITE_SECONDS
    standing.note(6)
    assert Standing(str(tmp_path / "state"), clock).remembered("here") == 6
    assert Standing(str(tmp_path / "state"), clock).remembered("elsewhere") == 0
    assert (tmp_path / "state" / FILE_NAME).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("spoilt", ["", "{", "[]", '{"installation": "here", "journal_writes": "many"}'])
def test_a_spoilt_file_is_as_good_as_none(tmp_path, clock, spoilt):
    (tmp_path / FILE_NAME).write_text(spoilt)
    assert Standing(str(tmp_path), clock).remembered("here") == 0
