"""The reference of settings agrees with what is read."""

import dataclasses
import re

import pytest

from salesforce_orgsim import reference
from salesforce_orgsim.app_settings import AppSettings
from salesforce_orgsim.control_users import Standing
from salesforce_orgsim.knobs import KNOBS
from salesforce_orgsim.org_settings import OrgSettings, TokenReset
from salesforce_orgsim.password_policy import PasswordPolicy
from salesforce_orgsim.stale import StalePlan
from salesforce_orgsim.user_settings import UserSettings

RECORDS = (OrgSettings, PasswordPolicy, TokenReset, UserSettings, Standing, StalePlan, AppSettings)


def test_the_document_is_what_would_be_written_now():
    assert reference.DOCUMENT.read_text("utf-8") == reference.document()


@pytest.mark.parametrize("record", RECORDS)
def test_every_field_is_explained_and_nothing_else(record):
    explained = reference.explained(record)
    assert list(explained) == [spec.name for spec in dataclasses.fields(record)]
    assert all(text.endswith(".") for text in explained.values())


def test_every_knob_has_a_row():
    rows = re.findall(r"^\| `(\w+)` \|", reference.document().partition("## Knobs")[2], re.MULTILINE)
    assert rows == list(KNOBS)
