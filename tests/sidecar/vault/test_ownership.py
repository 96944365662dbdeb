"""Whose the engine's KV mount is, and whether this Vault is the one that the sidecar belongs to."""

from dataclasses import replace

import pytest
from fakes import Accidents, ManualClock, MemoryKv

from vault_salesforce_sidecar.records.owner import load
from vault_salesforce_sidecar.settings import from_environ
from vault_salesforce_sidecar.vault import ownership

ADDRESS = "https://vault.example.com:8200"


@pytest.fixture
def kv():
    return MemoryKv("engine", Accidents(), ManualClock())


@pytest.fixture
def settings():
    return from_environ({"VAULT_SALESFORCE_VAULT_ADDR": ADDRESS, "VAULT_SALESFORCE_ROLE_ID": "r"}, "host")


def at(settings, *addresses):
    return replace(settings, vault_addr=addresses)


def owner(kv):
    return load(kv.newest("owner"))


def test_the_first_sidecar_makes_the_installation_and_others_belong_to_it(kv, settings):
    assert ownership.faults(kv, settings) == []
    first = owner(kv)
    assert len(first.installation) == 32
    assert (first.mount, first.kv_mount, first.namespace, first.addresses) == ("sf", "salesforce", "", (ADDRESS,))
    assert ownership.faults(kv, at(settings, f"{ADDRESS.upper()}/")) == []
    assert len(kv.versions["owner"]) == 1
    assert ownership.installation(kv) == first.installation


def test_what_an_earlier_release_left_is_completed_once(kv, settings):
    kv.write("owner", {"schema": 1, "mount": "sf", "kv_mount": "salesforce", "later": 1}, 0)
    assert ownership.faults(kv, settings) == []
    assert kv.newest("owner")["later"] == 1
    assert owner(kv).addresses == (ADDRESS,)


def test_a_node_more_is_learnt_from_who_knows_one_of_the_others(kv, settings):
    ownership.faults(kv, settings)
    assert ownership.faults(kv, at(settings, "https://new:8200", ADDRESS)) == []
    assert ownership.faults(kv, at(settings, "https://new:8200")) == []


def test_a_copy_changes_nothing_until_it_is_adopted(kv, settings):
    ownership.faults(kv, settings)
    before, copied = owner(kv), at(settings, "https://copy:8200")
    (fault,) = ownership.faults(kv, copied)
    assert "never reached at https://copy:8200, but at https://vault.example.com:8200" in fault
    assert owner(kv) == before
    command = "vault kv patch -mount=salesforce-engine -cas=1 owner"
    assert f"{command} addresses={ADDRESS},https://copy:8200;" in fault
    assert fault.endswith(f"{command} installation=")
    kv.write("owner", kv.newest("owner") | {"installation": ""}, 1)
    assert ownership.faults(kv, copied) == []
    adopted = owner(kv)
    assert adopted.installation not in ("", before.installation)
    assert adopted.addresses == ("https://copy:8200",)
    assert "never reached" in ownership.faults(kv, settings)[0]


def test_the_same_vault_under_another_address_is_let_in_by_a_person(kv, settings):
    ownership.faults(kv, settings)
    kv.write("owner", kv.newest("owner") | {"addresses": f"{ADDRESS},https://other:8200"}, 1)
    assert ownership.faults(kv, at(settings, "https://other:8200")) == []


def test_a_record_of_a_newer_release_is_left_alone(kv, settings):
    kv.write("owner", {"schema": 99}, 0)
    assert "cannot be read" in ownership.faults(kv, settings)[0]
