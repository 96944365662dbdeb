"""Path-help as a newcomer reads it: every path says what it is, shows how it is asked, and what to do next."""

import shlex

import pytest

from vault_plugin_sdk.framework.path import Router
from vault_plugin_sdk.logical.request import Operation, Request
from vault_salesforce_contract import api
from vault_salesforce_plugin import backend
from vault_salesforce_sidecar import paths

pytestmark = pytest.mark.system

EVERY = pytest.mark.parametrize("description", api.TABLE, ids=lambda description: description.pattern)
ROUTER = Router((*paths.PATHS, *backend.PATHS))
OPERATIONS = {"write": Operation.UPDATE, "read": Operation.READ, "list": Operation.LIST, "delete": Operation.DELETE}
# What the examples call the connection and the sidecar, and what they are called here.
HERE = {"/prod": "/demo", "/one": "/dev"}


def parsed(example):
    """An example as the request that the command line makes of it."""
    program, verb, *others = shlex.split(example)
    assert program == "vault", example
    options = [word for word in others if word.startswith("-")]
    path, *pairs = [word for word in others if not word.startswith("-")]
    mount, _, below = path.partition("/")
    assert mount == "sf"
    assert bool(pairs) == (verb == "write" and "-f" not in options)
    data = dict(pair.split("=", 1) for pair in pairs)
    # `-` is typed, and `@…` is a file.
    return Request(OPERATIONS[verb], below, {k: "x" if v[0] in "-@" else v for k, v in data.items()}), options


@EVERY
def test_every_example_is_a_request_that_its_path_understands(description):
    assert description.examples
    requests = [example for example in description.examples if not example.startswith("vault-salesforce doctor")]
    assert requests
    for example in requests:
        request, _ = parsed(example)
        match = ROUTER.resolve(request)
        assert match.path.description is description, example
        assert match.warnings == (), example


@EVERY
def test_help_reads_from_what_it_is_to_what_to_do_next(product, description):
    path = description.pattern.replace("{", "").replace("}", "")
    printed = product.bao("path-help", f"sf/{path}")
    assert printed.returncode == 0
    text = printed.stdout
    parts = [description.help, "Next:", "## EXAMPLES", *description.examples]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert all(len(line) <= 120 for line in text.splitlines())
    for name, item in (description.fields | description.query).items():
        assert f"    {name} ({item.kind.value}" in text
        assert item.help in text


def test_the_help_of_the_mount_names_every_path_and_how_values_are_written(product):
    text = product.bao("path-help", "sf/").stdout
    for description in api.TABLE:
        assert f"    {description.pattern}\n        {description.help}\n" in text
    assert "Durations are seconds" in text


READS = [
    example for description in api.TABLE for example in description.examples if example.split()[1] in ("read", "list")
]


@pytest.mark.parametrize("example", READS)
def test_every_example_that_only_looks_is_answered(product, example):
    for name, here in HERE.items():
        example = example.replace(name, here)
    done = product.bao(*shlex.split(example)[1:])
    nothing_is_held = "sf/hold" in example and "No value found" in done.stderr
    assert done.returncode == 0 or nothing_is_held, done.stderr
    assert done.stdout.strip() or nothing_is_held or "next_step" in example
