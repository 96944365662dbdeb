"""Everything that a release hands out, in one directory with its checksums: `make release`.

    vault_salesforce-<version>-py3-none-any.whl, ….tar.gz     our three distributions, as wheels and as sources
    vault-salesforce-<version>-<python>-<platform>.tar.gz     the archive for installations without a package index
    vault-plugin-secrets-salesforce-v<version>-<platform>     the plugin as one file
    <part>-<version>.cdx.json                                 what each part brings along (CycloneDX)
    SHA256SUMS                                                of all these

The same sources, locks, Python and system give the same bytes.
"""

import argparse
import hashlib
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path

import distributions
import sbom

ROOT = Path(__file__).resolve().parents[1]


def release(target: Path, bundle: Path, binary: Path, cyclonedx: Path) -> list[Path]:
    """Add to a bundle and a binary that lie in the directory what else a release has.

    Args:
        target: The directory.
        bundle: The archive, in it.
        binary: The plugin as one file, in it.
        cyclonedx: The program `cyclonedx-py`.

    Returns:
        All files of the release, the checksums last.
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    files = [bundle, binary, *distributions.build(ROOT, target, "wheel", "sdist")]
    with tempfile.TemporaryDirectory(prefix="release-") as temporary:
        with tarfile.open(bundle) as tar:
            tar.extractall(temporary, filter="data")
        (inside,) = Path(temporary).iterdir()
        files += sbom.write(ROOT, inside, cyclonedx, target, version)
    sums = target / "SHA256SUMS"
    sums.write_text(
        "".join(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(files))
    )
    return [*files, sums]


def main() -> None:
    """Release into the directory of the two files that are given."""
    parser = argparse.ArgumentParser(description="Make everything that a release hands out.")
    parser.add_argument("bundle", type=Path, help="the archive that `make bundle` built")
    parser.add_argument("binary", type=Path, help="the file that `make plugin-binary` built, in the same directory")
    parser.add_argument("--cyclonedx", type=Path, required=True, help="the program cyclonedx-py")
    given = parser.parse_args()
    for file in release(given.binary.parent, given.bundle, given.binary, given.cyclonedx):
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
