"""An org as it is remembered."""

from datetime import UTC, datetime

import pytest

from vault_salesforce_sidecar.records.organization import Organization, dump, load
from vault_salesforce_sidecar.records.schema import NewerSchema

HERE = "00D000000000001AAA"
ELSEWHERE = "00D000000000002AAA"


def test_what_is_stored_reads_back():
    organization = Organization(HERE, is_sandbox=False, since=datetime(2030, 1, 1, tzinfo=UTC))
    assert load(dump(organization)) == organization


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ((HERE, None), (HERE, None), True),
        ((HERE, None), (HERE[:15], True), True),
        ((HERE, True), (HERE, True), True),
        ((HERE, False), (HERE, True), False),
        ((HERE, None), (ELSEWHERE, None), False),
        ((HERE, True), (ELSEWHERE, True), False),
    ],
)
def test_two_are_one_org_where_nothing_that_both_tell_differs(one, other, same):
    assert Organization(*one).is_same(Organization(*other)) is same


def test_what_cannot_be_read_is_said():
    with pytest.raises(NewerSchema):
        load({"schema": 2, "organization_id": HERE})
    with pytest.raises(ValueError, match="not of the shape"):
        load({})
