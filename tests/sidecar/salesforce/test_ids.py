"""Ids of Salesforce's records."""

import pytest

from vault_salesforce_sidecar.salesforce.ids import ID, same_record

SHORT = "005000000000001"


@pytest.mark.parametrize("text", [SHORT, f"{SHORT}AAA"])
def test_an_id_has_a_checksum_or_none(text):
    assert ID.fullmatch(text)
    assert same_record(text, SHORT)
    assert same_record(SHORT, text)


@pytest.mark.parametrize("text", ["", SHORT[:-1], f"{SHORT}A", f"{SHORT}AAAA", "00500000000000'", f"{SHORT}\n"])
def test_what_is_shorter_longer_or_of_other_characters_is_none(text):
    assert not ID.fullmatch(text)


def test_capitals_tell_records_apart():
    assert not same_record("005000000000a01", "005000000000A01AAA")
