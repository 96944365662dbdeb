"""Everything that an installation without a package index needs, in one archive: `make bundle`.

    dist/vault-salesforce-<version>-<python>-<platform>.tar.gz
        wheels/                   our wheels, and those that they depend on
        requirements-plugin.txt   what a Vault node installs, each with its hash
        requirements-sidecar.txt  what the sidecar's host installs
        requirements-orgsim.txt   what a tester installs
        SHA256SUMS                of all these
        INSTALL.txt               the commands

The archive holds extension modules, so it is good for the Python and the platform that its name tells.
Other people's wheels are those whose hashes the lock names. The same sources and pins give the same bytes.
"""

import argparse
import gzip
import hashlib
import json
import platform
import re
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import distributions

ROOT = Path(__file__).resolve().parents[1]
PARTS = {
    "plugin": "vault-salesforce[plugin]",
    "sidecar": "vault-salesforce[sidecar]",
    "orgsim": "salesforce-orgsim",
}
_INSTALL = """\
vault-salesforce {version}, for {python} on {platform}.

Check the files, then install from this folder alone:

  sha256sum --quiet --check SHA256SUMS
  pip install --no-index --find-links wheels --require-hashes -r requirements-plugin.txt   # on each Vault node
  pip install --no-index --find-links wheels --require-hashes -r requirements-sidecar.txt  # where the sidecar runs
  pip install --no-index --find-links wheels --require-hashes -r requirements-orgsim.txt   # the simulator, for tests
"""


def build(target: Path) -> Path:
    """Build the archive.

    Args:
        target: Directory of the archive and of its checksum.

    Returns:
        The archive.

    Raises:
        subprocess.CalledProcessError: A tool did not do it; it has said why.
        SystemExit: The index gave another file than the lock names.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    with tempfile.TemporaryDirectory(prefix="bundle-") as temporary:
        folder = Path(temporary, "bundle")
        wheels = folder / "wheels"
        wheels.mkdir(parents=True)
        own = {wheel.name for wheel in distributions.build(ROOT, wheels, "wheel")}
        wanted = [f"{requirement}=={version}" for requirement in PARTS.values()]
        sources = ("--only-binary", ":all:", "--constraint", ROOT / "constraints.txt", "--find-links", wheels)
        _pip("download", *sources, "--dest", wheels, *wanted)
        _compare(path for path in wheels.iterdir() if path.name not in own)
        for part, requirement in PARTS.items():
            lines = _requirements(wheels, f"{requirement}=={version}")
            (folder / f"requirements-{part}.txt").write_text("".join(lines))
        python, machine = _tags()
        text = _INSTALL.format(version=version, python=python, platform=machine)
        (folder / "INSTALL.txt").write_text(text)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        sums = "".join(f"{_sha256(path)}  {path.relative_to(folder)}\n" for path in files)
        (folder / "SHA256SUMS").write_text(sums)
        name = f"vault-salesforce-{version}-{python}-{machine}"
        target.mkdir(parents=True, exist_ok=True)
        archive = target / f"{name}.tar.gz"
        _pack(folder, archive, name)
    (target / f"{archive.name}.sha256").write_text(f"{_sha256(archive)}  {archive.name}\n")
    return archive


def _compare(wheels: Iterable[Path]) -> None:
    locked = set(re.findall(r"--hash=sha256:([0-9a-f]{64})", (ROOT / "packaging" / "setup.txt").read_text()))
    strangers = sorted(wheel.name for wheel in wheels if _sha256(wheel) not in locked)
    if strangers:
        raise SystemExit(f"not the files that packaging/setup.txt names: {', '.join(strangers)}")


def _requirements(wheels: Path, requirement: str) -> Iterator[str]:
    """What pip would install for a requirement, from the wheels alone; each with the hash of its wheel."""
    told = _pip(
        "install", "--dry-run", "--ignore-installed", "--no-index", "--find-links", wheels, "--report", "-", requirement
    )
    report: dict[str, Any] = json.loads(told)
    for item in sorted(report["install"], key=lambda item: item["metadata"]["name"].lower()):
        metadata, file = item["metadata"], Path(item["download_info"]["url"]).name
        yield f"{metadata['name']}=={metadata['version']} --hash=sha256:{_sha256(wheels / file)}\n"


def _pack(folder: Path, archive: Path, name: str) -> None:
    """A tar file whose bytes depend on the files' names and contents alone."""

    def plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
        member.uid = member.gid = 0
        member.uname = member.gname = ""
        member.mtime = distributions.MOMENT
        member.mode = 0o755 if member.isdir() else 0o644
        return member

    # The wheels are compressed already.
    with (
        archive.open("wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=1, fileobj=raw, mtime=distributions.MOMENT) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in sorted(folder.rglob("*")):
            tar.add(path, f"{name}/{path.relative_to(folder)}", recursive=False, filter=plain)


def _pip(*arguments: str | Path) -> str:
    command = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--no-cache-dir", *arguments)
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603 - pip
    return done.stdout


def _tags() -> tuple[str, str]:
    return f"cp{sys.version_info[0]}{sys.version_info[1]}", f"{platform.system().lower()}-{platform.machine()}"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main() -> None:
    """Build it where the only argument says."""
    parser = argparse.ArgumentParser(description="Build the archive for an installation without a package index.")
    parser.add_argument("target", type=Path, help="directory of the archive")
    archive = build(parser.parse_args().target)
    sys.stdout.write(f"{archive}\n")


if __name__ == "__main__":
    main()
