"""`docs/sdk.md` shows the files that are run."""

import re
from pathlib import Path

import pytest
from wire_host import data_of, python, started

from vault_plugin_sdk import engine

ROOT = Path(__file__).parents[3]
GUIDE = (ROOT / "docs" / "sdk.md").read_text()
EXAMPLE = ROOT / "examples" / "engine" / "api_keys.py"


@pytest.mark.parametrize("shown", [EXAMPLE, Path(__file__).with_name("test_api_keys.py")])
def test_the_guide_shows_the_file_as_it_is(shown):
    assert f"```python\n{shown.read_text()}```\n" in GUIDE


def test_the_example_is_at_most_sixty_lines():
    assert len(EXAMPLE.read_text().splitlines()) <= 60


def test_every_kind_that_the_guide_names_is_there():
    (table,) = re.findall(r"\| kind \|.*?\n\n", GUIDE, re.DOTALL)
    named = set(re.findall(r"`([A-Z_]{2,})`", table))
    kinds = {name for name in engine.__all__ if type(getattr(engine, name)) is type(engine.TEXT)}
    assert named == kinds


def test_the_readmes_engine_runs(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", (ROOT / "sdk" / "README.md").read_text(), re.DOTALL)
    file = tmp_path / "hello.py"
    file.write_text(program)

    with started(python(file)) as host:
        mount = host.run(host.mount())
        assert data_of(host.run(mount.send("read", "hello/world"))) == {"greeting": "Hello, world."}
