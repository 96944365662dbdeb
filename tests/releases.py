"""Releases of the plugin as they are installed: an environment of their own, with copies of what this one runs."""

import fcntl
import platform
import re
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

import click

import vault_salesforce
from vault_salesforce_plugin import __version__, closure
from vault_salesforce_plugin.install import NAME

ROOT = Path(__file__).parents[1]
COMMAND_LINE = (Path(vault_salesforce.__file__).parent, Path(click.__file__).parent)


@dataclass(frozen=True)
class Release:
    """One of them.

    Attributes:
        directory: The virtual environment.
        version: Of the plugin.
    """

    directory: Path
    version: str

    @property
    def site(self) -> Path:
        """Where its packages are."""
        return self.directory / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"

    def install(self, plugins: Path) -> "subprocess.CompletedProcess[str]":
        """What an operator types."""
        command = (self.directory / "bin" / "python", "-I", "-m", "vault_salesforce", "install-plugin", "--directory")
        return subprocess.run((*command, plugins), capture_output=True, text=True, check=False)

    def launcher(self, plugins: Path) -> Path:
        """The launcher, once installed there."""
        done = self.install(plugins)
        assert done.returncode == 0, done.stderr
        return next(Path(line.split()[1]) for line in done.stdout.splitlines() if line.startswith("launcher"))


def make(directory: Path, version: str = __version__) -> Release:
    """Make an environment with the plugin and the command line, at a version."""
    venv.create(directory, symlinks=True)
    release = Release(directory, version)
    covered = closure.find(closure.interpreter())
    for file in covered.files:
        place = next(place for place in covered.places if file.is_relative_to(place))
        copy = release.site / file.relative_to(place)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file, copy)
    for package in COMMAND_LINE:
        shutil.copytree(package, release.site / package.name, ignore=shutil.ignore_patterns("__pycache__", "dev"))
    set_version(release)
    return release


def set_version(release: Release) -> None:
    """Make the copy say that it is this version."""
    module = release.site / "vault_salesforce_plugin" / "__init__.py"
    text, found = re.subn(r'__version__ = "[^"]+"', f'__version__ = "{release.version}"', module.read_text())
    assert found == 1
    module.write_text(text)


def binary() -> Path:
    """The plugin as one file; built where it is missing or older than its sources."""
    _make("plugin-binary")
    return ROOT / "dist" / f"{NAME}-v{__version__}-linux-{platform.machine()}"


def bundle() -> Path:
    """The archive for an installation without a package index, built now."""
    return ROOT / _make("bundle").strip()


def _make(target: str) -> str:
    """By one test process at a time: both targets begin with the same environment."""
    with (Path(sys.prefix) / "packaging.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = ("/usr/bin/env", "make", "--silent", target)
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def set_contract(release: Release, newest: int, oldest: int) -> None:
    """Make the copy speak other numbers of the contract."""
    module = release.site / "vault_salesforce_contract" / "registration.py"
    text = module.read_text()
    for name, number in (("OLDEST_CONTRACT", oldest), ("CONTRACT", newest)):
        text, found = re.subn(rf"(?m)^{name} = \d+", f"{name} = {number}", text)
        assert found == 1
    module.write_text(text)
