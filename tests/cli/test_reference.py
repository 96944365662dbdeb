"""The reference is what the engine knows of itself."""

from vault_salesforce import reference
from vault_salesforce_contract.api import TABLE


def test_the_document_is_current():
    assert reference.DOCUMENT.read_text() == reference.document(), "run: python -m vault_salesforce.reference"


def test_it_has_every_path_and_every_field():
    text = reference.document()
    for description in TABLE:
        section = text.partition(f"## `{description.pattern.replace('{', '<').replace('}', '>')}`")[2].partition(
            "\n## "
        )[0]
        assert description.help in section
        for name in (*description.fields, *description.query):
            assert f"| `{name}` |" in section, (description.pattern, name)


def test_words_with_their_meanings_become_a_list():
    assert reference.paragraph("ok          fine\nnot visible  hidden") == "- `ok`: fine\n- `not visible`: hidden"
    assert reference.paragraph("  one  first\n  two  second") == "- `one`: first\n- `two`: second"
    assert reference.paragraph("a sentence\nover two lines") == "a sentence over two lines"
