"""What the threat model says that nobody can do is shown by a test, and every test that it names is there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from typed import DOCS, rows

ROOT = Path(__file__).parents[2]
TEXT = (DOCS / "threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", TEXT)))
CANNOT = [row for row in rows(TEXT) if "cannot" in row]


@cache
def names_in(path):
    """The tests that a file has."""
    tree = ast.parse((ROOT / path).read_text())
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    return {node.name for node in ast.walk(tree) if isinstance(node, kinds) and node.name.startswith("test_")}


@pytest.mark.parametrize("path", sorted({path for path, _ in NAMED}))
def test_every_test_that_it_names_is_there(path):
    named = {name for at, name in NAMED if at == path}
    assert named <= names_in(path)


def test_whatever_somebody_cannot_do_is_shown_by_a_test():
    assert len(CANNOT) > 40
    assert [row["cannot"] for row in CANNOT if "::test_" not in row["shown by"]] == []


def test_everybody_who_could_be_in_the_way_has_a_section():
    headings = re.findall(r"^### (.+)$", TEXT, re.MULTILINE)
    assert len(headings) >= 10
    words = ("sidecar", "operator", "app", "mailbox", "host", "plugin directory", "administrator", "team", "middle")
    for word in words:
        assert any(word in heading for heading in headings), word
