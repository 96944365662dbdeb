"""A page of the index."""

import pytest

from vault_salesforce_sidecar.records.index_page import PAGES, Line, dump, load, merged, page_of
from vault_salesforce_sidecar.records.schema import NewerSchema

PAGE = {"ann@acme.example": Line("crm", 7), "bob@acme.example": Line("erp", 2)}


def test_what_was_dumped_is_loaded():
    assert load(dump(PAGE)) == PAGE


def test_of_two_lines_the_newer_one_stays():
    lines = {"ann@acme.example": Line("old", 6), "bob@acme.example": Line("new", 3), "eve@acme.example": Line("x", 1)}
    assert merged(PAGE, lines) == {
        "ann@acme.example": Line("crm", 7),
        "bob@acme.example": Line("new", 3),
        "eve@acme.example": Line("x", 1),
    }


@pytest.mark.parametrize("data", [{}, {"accounts": None}, {"accounts": {"a": 1}}, {"accounts": {"a": ["r", "x"]}}])
def test_a_spoilt_page_is_an_empty_one(data):
    assert load(data) == {}


def test_a_page_of_a_newer_release_is_not_read():
    with pytest.raises(NewerSchema):
        load({"schema": 2, "accounts": {}})


def test_accounts_are_spread_evenly_over_few_pages():
    pages = [page_of(f"user{number}@acme.example") for number in range(6400)]
    assert len(set(pages)) == PAGES
    assert max(map(pages.count, set(pages))) < 160
