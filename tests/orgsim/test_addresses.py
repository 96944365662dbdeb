"""Address ranges in the three spellings."""

import pytest

from salesforce_orgsim.addresses import check_ranges, inside


@pytest.mark.parametrize("text", ["10.0.0.5", "10.0.0.0/24", "10.0.0.1-10.0.0.9", "10.0.0.1 - 10.0.0.9"])
def test_an_address_inside_a_range_is_found(text):
    check_ranges([text])
    assert inside("10.0.0.5", [text])
    assert not inside("10.0.1.5", [text])


def test_loopback_is_in_no_range_that_does_not_name_it():
    assert not inside("127.0.0.1", [])
    assert not inside("127.0.0.1", ["::1"])
    assert inside("127.0.0.2", ["127.0.0.0/8"])


@pytest.mark.parametrize("text", ["crm.example", "10.0.0.9-10.0.0.1", "10.0.0.1-::1"])
def test_what_is_no_range_is_refused(text):
    with pytest.raises(ValueError, match=r".+"):
        check_ranges([text])
