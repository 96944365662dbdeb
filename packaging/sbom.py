"""What each of our distributions brings along, as CycloneDX documents: one for each thing that somebody installs."""

import json
import re
import subprocess
import sys
import tempfile
import venv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_SPEC = "1.6"


@dataclass(frozen=True)
class Part:
    """Something that is installed.

    Attributes:
        requirement: For pip.
        pyproject: Of the distribution, below the repository.
    """

    requirement: str
    pyproject: str


PARTS = {
    "vault-salesforce-plugin": Part("vault-salesforce[plugin]", "pyproject.toml"),
    "vault-salesforce-sidecar": Part("vault-salesforce[sidecar]", "pyproject.toml"),
    "vault-plugin-sdk": Part("vault-plugin-sdk[wire]", "sdk/pyproject.toml"),
    "salesforce-orgsim": Part("salesforce-orgsim", "orgsim/pyproject.toml"),
}


def write(tree: Path, bundle: Path, cyclonedx: Path, target: Path, version: str) -> Iterator[Path]:
    """Install each part from the bundle, with no index, and describe what is there then.

    Args:
        tree: The repository.
        bundle: The unpacked archive of `make bundle`; its wheels are what is described.
        cyclonedx: The program `cyclonedx-py`.
        target: Directory of the documents.
        version: Ours.

    Yields:
        Each document, `<part>-<version>.cdx.json`; the same wheels give the same bytes.

    Raises:
        subprocess.CalledProcessError: pip or cyclonedx-py did not do it; it has said why.
        KeyError: Something is installed that has no hash in the bundle.
    """
    hashes = _hashes(bundle)
    for name, part in PARTS.items():
        with tempfile.TemporaryDirectory(prefix="sbom-") as temporary:
            venv.create(temporary, symlinks=True)
            _run(
                *(sys.executable, "-m", "pip", "--quiet", "--python", temporary, "install", "--no-compile"),
                *("--no-index", "--find-links", bundle / "wheels", f"{part.requirement}=={version}"),
            )
            document = Path(temporary, "bom.json")
            _run(
                *(cyclonedx, "environment", "--pyproject", tree / part.pyproject, "--spec-version", _SPEC),
                *("--output-format", "JSON", "--output-reproducible", "--validate", "--output-file", document),
                Path(temporary, "bin", "python"),
            )
            content = json.loads(document.read_text())
        _name(content, part, version)
        for component in content["components"]:
            component["hashes"] = [
                {"alg": "SHA-256", "content": hashes[_plain(component["name"], component["version"])]}
            ]
        written = target / f"{name}-{version}.cdx.json"
        written.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n")
        yield written


def _name(content: dict[str, Any], part: Part, version: str) -> None:
    """Say which extra is meant: the tool knows the distribution alone."""
    distribution, _, extra = part.requirement.removesuffix("]").partition("[")
    component = content["metadata"]["component"]
    component["purl"] = f"pkg:pypi/{distribution}@{version}"
    if extra:
        component["properties"] = [{"name": "cdx:python:package:required-extra", "value": extra}]


def _hashes(bundle: Path) -> Mapping[str, str]:
    lines = (line.split() for line in (bundle / "SHA256SUMS").read_text().splitlines())
    wheels = ((digest, Path(name).name.split("-")) for digest, name in lines if name.endswith(".whl"))
    return {_plain(name, version): digest for digest, (name, version, *_) in wheels}


def _plain(name: str, version: str) -> str:
    """Distribution and version as all tools agree to compare them."""
    return re.sub(r"[-_.]+", "-", name).lower() + "==" + version


def _run(*command: str | Path) -> None:
    subprocess.run(command, check=True, stdout=sys.stderr)  # noqa: S603 - pip, and the tool that describes
