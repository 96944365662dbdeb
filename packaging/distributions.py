"""Our three distributions, as wheels and source archives: the same sources give the same bytes, wherever they are."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PLACES = (".", "sdk", "orgsim")
# Of every file in an archive of ours; the first moment that a zip file can hold.
MOMENT = 315532800


def build(tree: Path, target: Path, *kinds: str) -> list[Path]:
    """Build all three with the build system beside us.

    Args:
        tree: The repository, or a copy of it.
        target: Directory of what is built; it exists.
        kinds: `wheel`, `sdist`, or both.

    Returns:
        The files, sorted.

    Raises:
        subprocess.CalledProcessError: The build system did not do it; it has said why.
    """
    environment = {**os.environ, "SOURCE_DATE_EPOCH": str(MOMENT)}
    with tempfile.TemporaryDirectory(prefix="built-") as fresh:
        command = [sys.executable, "-m", "hatchling", "build", "--directory", fresh]
        for kind in kinds:
            command += ["--target", kind]
        for place in PLACES:
            done = subprocess.run(  # noqa: S603 - the build system
                command, cwd=tree / place, env=environment, capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.stderr.write(done.stderr)
                done.check_returncode()
        return sorted(
            Path(shutil.copy(file, target)) for file in Path(fresh).iterdir() if file.suffix in (".whl", ".gz")
        )
