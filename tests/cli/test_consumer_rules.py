"""Each rule: an answer that keeps it, and what breaks it."""

from dataclasses import replace

import pytest

from vault_salesforce.consumer_rules import RULES, Reading, judge

STATIC = Reading(
    {
        "username": "integration@example.com",
        "password": "p-1",
        "security_token": "",
        "version": 4,
        "last_vault_rotation": "2026-11-21T10:00:00Z",
    }
)
HINTED = Reading({**STATIC.data, "ttl": 300, "rotation_period": 3600})
LEASED = replace(STATIC, lease_id="sf/creds/crm/1", lease_seconds=600)
STORED = replace(STATIC, metadata={"version": 4, "deletion_time": "", "destroyed": False})
GOOD = (STATIC, HINTED, LEASED, STORED)


def changed(reading, **fields):
    return replace(reading, data={**reading.data, **fields})


def without(reading, name):
    return replace(reading, data={key: value for key, value in reading.data.items() if key != name})


def broken(*readings):
    return {(finding.rule.sentence, finding.fault) for finding in judge(readings) if finding.fault}


@pytest.mark.parametrize("reading", GOOD)
def test_a_good_answer_keeps_every_rule(reading):
    assert broken(reading, reading) == set()


@pytest.mark.parametrize("reading", GOOD)
def test_a_rotation_keeps_every_rule(reading):
    later = changed(reading, version=5, password="p-2", last_vault_rotation="2026-11-21T10:00:01Z")
    if later.metadata:
        later = replace(later, metadata={**later.metadata, "version": 5})
    if "ttl" in later.data:
        later = changed(later, ttl=3600)

    assert broken(reading, later) == set()


ALONE = {
    "null: security_token": changed(STATIC, security_token=None),
    "ttl is a float": changed(HINTED, ttl=300.0),
    "ttl is a str": changed(HINTED, ttl="5m"),
    "ttl is a bool": changed(HINTED, ttl=True),
    "ttl stands alone": without(HINTED, "rotation_period"),
    "rotation_period stands alone": without(HINTED, "ttl"),
    "ttl is not above 0": changed(HINTED, ttl=0),
    "a lease and a ttl of its own": replace(HINTED, lease_id="sf/creds/crm/1", lease_seconds=600),
    "a lease of no length": replace(LEASED, lease_seconds=0),
    "last_vault_rotation is a int": changed(STATIC, last_vault_rotation=1_790_000_000),
    "last_vault_rotation is no time of RFC 3339": changed(STATIC, last_vault_rotation="2026-11-21T10:00:00"),
    "rotation_period is a float": changed(HINTED, rotation_period=3600.5),
    "ttl without last_vault_rotation": without(HINTED, "last_vault_rotation"),
    "ttl without a rotation_period of at least 1 or a rotation_schedule": changed(HINTED, rotation_period=0),
    "no key of a Secret: login url": changed(STATIC, **{"login url": "x"}),
    "not one value: roles": changed(STATIC, roles=["a"]),
    "the version is deleted, or will be": replace(STORED, metadata={**STORED.metadata, "deletion_time": "2026-12-01"}),
}
AFTER = {
    "changed within one version: age": (changed(STATIC, age=1), changed(STATIC, age=2)),
    "last_vault_rotation moved without a new credential": (
        STATIC,
        changed(STATIC, last_vault_rotation="2026-11-21T10:00:01Z"),
    ),
    "a new credential in the same second as the one before": (
        STATIC,
        changed(STATIC, version=5, password="p-2", last_vault_rotation="2026-11-21T10:00:00.5Z"),
    ),
    "ttl rose without a new credential": (HINTED, changed(HINTED, ttl=301)),
    "one version with two contents": (STORED, changed(STORED, version=5)),
}


@pytest.mark.parametrize(("fault", "reading"), ALONE.items())
def test_what_breaks_a_rule_by_itself(fault, reading):
    assert fault in {seen for _, seen in broken(reading)}


@pytest.mark.parametrize(("fault", "readings"), AFTER.items())
def test_what_breaks_a_rule_from_one_reading_to_the_next(fault, readings):
    assert fault in {seen for _, seen in broken(*readings)}


def test_no_rule_is_without_an_answer_that_breaks_it():
    seen = {sentence for reading in ALONE.values() for sentence, _ in broken(reading)}
    seen |= {sentence for readings in AFTER.values() for sentence, _ in broken(*readings)}

    assert seen == {rule.sentence for rule in RULES}


def test_a_fault_shows_no_value():
    secret = changed(STATIC, password=["hunter2"])

    assert "hunter2" not in repr(broken(secret)) + repr(secret)


@pytest.mark.parametrize("body", [{}, {"data": None}, {"data": {}}, {"data": {"data": None, "metadata": {}}}])
def test_an_answer_without_a_credential_is_none(body):
    with pytest.raises(ValueError, match="no data"):
        Reading.of(body)
