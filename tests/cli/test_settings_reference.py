"""The page about the settings is that of the settings."""

import itertools
import re

from vault_plugin_sdk.framework.fields import declared
from vault_salesforce.settings_reference import DOCUMENT, document
from vault_salesforce_sidecar.settings import PREFIX, Settings


def test_the_page_is_current():
    assert DOCUMENT.read_text() == document(), "run: python -m vault_salesforce.settings_reference"


def test_every_setting_that_the_documents_name_is_one():
    root = DOCUMENT.parents[2]
    known = {PREFIX + name.upper() for name in declared(Settings)}
    pages = (root.glob(pattern) for pattern in ("*.md", "docs/**/*.md", "deploy/**/*.md", "deploy/**/*.yaml"))
    for page in itertools.chain.from_iterable(pages):
        assert set(re.findall(rf"{PREFIX}[A-Z_]+", page.read_text())) <= known, page


def test_every_setting_has_its_row():
    rows = [line for line in document().splitlines() if line.startswith(("| `", "| *`"))]
    assert [row.split("`")[1] for row in rows] == [PREFIX + name.upper() for name in declared(Settings)]
    assert all(row.count("|") == 4 for row in rows)
