"""What a newer release wrote is told apart."""

import pytest

from vault_salesforce_sidecar.records.schema import NewerSchema, check_schema


@pytest.mark.parametrize("data", [{}, {"schema": 1}, {"schema": 2}, {"schema": "2"}])
def test_a_schema_that_is_known_passes(data):
    check_schema(data, 2)


def test_a_newer_one_is_told_apart_from_one_that_is_no_number():
    with pytest.raises(NewerSchema):
        check_schema({"schema": 3}, 2)
    with pytest.raises(ValueError, match="whole number"):
        check_schema({"schema": "x"}, 2)
