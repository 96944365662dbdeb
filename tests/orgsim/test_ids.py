"""Record ids in both lengths."""

import pytest

from salesforce_orgsim import ids


def test_the_suffix_tells_capitals_five_to_a_character():
    assert ids.lengthen("AAAAAaaaaaAaaaa") == "AAAAAaaaaaAaaaa" + "5AB"


def test_numbered_ids_differ_and_are_well_formed():
    made = {ids.numbered(ids.USER, number) for number in range(1, 200)}
    assert len(made) == 199
    assert all(record_id.startswith("005") and ids.well_formed(record_id) for record_id in made)


def test_both_lengths_of_an_id_are_well_formed_and_shorten_to_one():
    long = ids.numbered(ids.USER, 61)
    short = ids.shorten(long)
    assert (len(long), len(short)) == (18, 15)
    assert ids.well_formed(short)
    assert ids.shorten(short) == short


@pytest.mark.parametrize("text", ["", "005", "005Qk0000000001AAZ", "005Qk0000000001IA!", "005Qk000000000é"])
def test_other_texts_are_not_ids(text):
    assert not ids.well_formed(text)
