"""The count of a user's logins is read as it was written."""

import pytest

from vault_salesforce_sidecar.records import attempts
from vault_salesforce_sidecar.records.attempts import Attempts
from vault_salesforce_sidecar.records.schema import NewerSchema


def test_it_is_read_as_it_was_written():
    assert attempts.load(attempts.dump(Attempts(2, 1))) == Attempts(2, 1)
    assert attempts.load({}) == Attempts()


def test_what_a_newer_release_wrote_is_told():
    with pytest.raises(NewerSchema):
        attempts.load({"schema": 2})
