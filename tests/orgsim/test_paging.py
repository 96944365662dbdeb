"""Pages of a query."""

import pytest

from salesforce_orgsim import paging
from salesforce_orgsim.faults import FaultError

RECORDS = [{"Id": str(n)} for n in range(4001)]


def test_pages_follow_each_other_to_the_end(sim):
    page = paging.first(sim.org, RECORDS)
    found, pages = list(page.records), 1
    while page.locator:
        page = paging.more(sim.org, page.locator)
        found += page.records
        pages += 1
    assert (found, pages, page.total) == (RECORDS, 3, 4001)


@pytest.mark.parametrize("locator", ["", "01gnone-2000", "01g-x"])
def test_a_locator_that_leads_nowhere_is_refused(sim, locator):
    with pytest.raises(FaultError, match="INVALID_QUERY_LOCATOR"):
        paging.more(sim.org, locator)


def test_old_cursors_are_forgotten(sim):
    first = paging.first(sim.org, RECORDS).locator
    for _ in range(100):
        paging.first(sim.org, RECORDS)
    with pytest.raises(FaultError):
        paging.more(sim.org, first)
