"""The examples are short, and the documentation names each of them."""

import re

import pytest
from crowd import EXAMPLES

LONGEST = 15
SOURCES = (
    "python/salesforce_login.py",
    "node/salesforce-login.js",
    "java/SalesforceLogin.java",
    "dotnet/SalesforceLogin.cs",
)
TEMPLATES = ("agent/env.hcl", "agent/json.hcl", "agent/properties.hcl")
_TEXT = re.compile(r'"""[^"]*"""|/\*.*?\*/', re.DOTALL)
# What says nothing by itself: nothing, a comment, an import, the closing of a bracket.
_NO_CODE = re.compile(r"\s*(?:(?:#|//).*|(?:import|from|using)\b.*|[(){}\[\];,]*|\).*:)\s*")


def lines_of_code(text):
    return [line for line in _TEXT.sub("", text).splitlines() if not _NO_CODE.fullmatch(line)]


@pytest.mark.parametrize("source", [*SOURCES, *TEMPLATES])
def test_an_example_has_fifteen_lines_at_most(source):
    assert 3 < len(lines_of_code((EXAMPLES / source).read_text())) <= LONGEST


def test_every_file_is_named_where_they_are_explained():
    text = (EXAMPLES / "README.md").read_text()
    for source in (*SOURCES, *TEMPLATES):
        assert f"({source})" in text, source


def test_no_other_file_is_there():
    beside = {"README.md", "node/package.json", "node/package-lock.json"}
    found = {str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*") if path.is_file()}
    assert {name for name in found if "__pycache__" not in name} == {*SOURCES, *TEMPLATES, *beside}
