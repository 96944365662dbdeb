"""The last line, and the table that is pasted into the documents."""

from collections import Counter
from datetime import date

from faults.harness.checks import LOST, OTHER
from faults.harness.tally import Tally


def test_the_last_line_says_how_many_and_the_seed():
    tally = Tally("seven", rotations=12, broken=Counter({LOST: 2}))
    assert tally.last_line() == "faults: 12 rotations, 2 lost, 0 lockouts, 0 unproven, seed seven"
    assert not tally.kept
    assert not Tally("seven", broken=Counter({OTHER: 1})).kept
    assert Tally("seven").kept


def test_the_table_has_a_row_for_each_fault_and_says_what_was_not_run():
    faults = Counter({"kill server": 1200, "login: late": 3})
    tally = Tally("seven", rotations=1203, faults=faults, ends=Counter(ok=5), skipped={"small disk": "not root"})
    table = tally.table(date(2030, 1, 2), "make faults N=1000 SEED=seven")
    assert "| kill server | 1,200 |" in table
    assert "2030-01-02" in table
    assert "make faults N=1000 SEED=seven" in table
    assert "small disk: not root" in table
