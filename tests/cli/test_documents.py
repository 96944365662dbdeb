"""What the documents name is there: the pages they link to, the targets of `make`, the commands and their options."""

import re
from pathlib import Path

import click
import pytest

from vault_salesforce.__main__ import main

ROOT = Path(__file__).parents[2]
FOLDERS = ("bench", "deploy", "docs", "examples", "orgsim", "sdk")
PAGES = sorted([*ROOT.glob("*.md"), *(page for folder in FOLDERS for page in (ROOT / folder).rglob("*.md"))])
LINK = re.compile(r"\]\(([^)\s]+)\)")
BLOCK = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
# Where a line of a terminal or a piece of code begins, or a command is piped on.
TARGET = re.compile(r"(?:^\$ |`|&& )make (?:[A-Z_]+=\S+ )*([a-z][a-z-]*)", re.MULTILINE)
COMMAND = re.compile(r"(?:^\$ |`|&& |/bin/)vault-salesforce ([a-z][a-z-]*)([^\n`|]*)", re.MULTILINE)


def anchors(page):
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", BLOCK.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    broken = []
    for link in LINK.findall(BLOCK.sub("", page.read_text())):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_target_of_make_is_one():
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {(page.name, target) for page in PAGES for target in TARGET.findall(page.read_text())}
    assert {target for _, target in named} >= {"demo", "dev", "test"}
    assert [one for one in sorted(named) if one[1] not in known] == []


def test_every_command_and_option_is_one():
    wrong = []
    seen = set()
    for page in PAGES:
        for name, rest in COMMAND.findall(page.read_text()):
            seen.add(name)
            command = main.commands.get(name)
            options = set() if command is None else options_of(command)
            if command is None or not set(re.findall(r"--[a-z-]+", rest)) <= options:
                wrong.append((page.name, name + rest))
    assert wrong == []
    assert seen >= {"conformance", "dev", "install-plugin", "policy", "sidecar"}


def options_of(command):
    """The long options of a command."""
    return {option for one in command.params if isinstance(one, click.Option) for option in one.opts} | {"--help"}
