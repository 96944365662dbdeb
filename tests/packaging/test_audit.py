"""An audit that passes has asked about everything, and of somebody who knows."""

import json

import audit
import pytest

CLEAN = {"name": "click", "version": "8.5.1", "vulns": []}
FAULT = {"id": "GHSA-1", "aliases": ["CVE-2030-1"], "fix_versions": ["9.0"], "description": "A fault."}
PROBE = {"name": audit.PROBE, "version": "8.0.0", "vulns": [FAULT]}


def answer(*packages):
    return json.dumps({"dependencies": packages, "fixes": []})


def test_where_the_database_knows_nothing_against_any_of_them_it_passes():
    verdict = audit.judge(answer(CLEAN, PROBE), "")
    assert (verdict.code, verdict.lines) == (audit.CLEAN, ("no known advisory, of 1 packages",))


def test_an_advisory_fails_and_is_named_with_the_release_that_mends_it():
    verdict = audit.judge(answer(CLEAN | {"vulns": [FAULT]}, PROBE), "")
    assert verdict.code == audit.KNOWN
    assert verdict.lines == ("click 8.5.1: GHSA-1 CVE-2030-1, mended in 9.0", "known advisories: 1")


def test_an_advisory_that_nobody_has_mended_fails_too():
    verdict = audit.judge(answer(CLEAN | {"vulns": [FAULT | {"fix_versions": []}]}, PROBE), "")
    assert verdict.code == audit.KNOWN
    assert "mended in no release yet" in verdict.lines[0]


@pytest.mark.parametrize("printed", ["", "Traceback …", "{}", "[]", "null"])
def test_a_database_that_cannot_be_reached_is_no_pass(printed):
    verdict = audit.judge(printed, "Traceback\nConnectionError: no such host\n")
    assert verdict.code == audit.NOT_DONE
    assert verdict.lines[0] == "ConnectionError: no such host"
    assert "NOT DONE" in verdict.lines[-1]


def test_a_database_that_has_not_heard_of_a_package_is_no_pass():
    skipped = {"name": "click", "skip_reason": "Dependency not found on PyPI"}
    verdict = audit.judge(answer(skipped, CLEAN | {"name": "flask"}, PROBE), "")
    assert verdict.code == audit.NOT_DONE
    assert verdict.lines == ("click: Dependency not found on PyPI", "NOT DONE for 1 of 2 packages; this is no pass")


@pytest.mark.parametrize("probe", [(), (PROBE | {"vulns": []},)])
def test_a_database_that_knows_no_advisory_at_all_is_no_pass(probe):
    verdict = audit.judge(answer(CLEAN, *probe), "")
    assert verdict.code == audit.NOT_DONE
    assert "knows no advisory at all" in verdict.lines[-1]


def test_nothing_to_ask_about_is_no_pass():
    assert audit.judge(answer(PROBE), "").code == audit.NOT_DONE


def test_what_is_used_to_probe_the_database_is_nothing_that_we_use():
    for name in audit.LOCKS:
        assert f"\n{audit.PROBE}==" not in "\n" + (audit.HERE / name).read_text()
