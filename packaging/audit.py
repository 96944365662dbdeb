"""Known advisories against everything that the locks name: `make audit`.

    0   the database was asked about every package, and knows nothing against any of them
    1   it knows something: each advisory is named, with the releases that mend it
    3   the database was not asked, or not about everything: this is no pass

(`make` itself ends with 2 in the last two cases; the last line says which it was.)
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
LOCKS = ("setup.txt", "package.txt", "tools.txt", "older-openbao.txt", "fuzz.txt")
DATABASE = "https://api.osv.dev/v1/query"
CLEAN, KNOWN, NOT_DONE = 0, 1, 3
# A release with famous faults, of a package that we do not use: a database that knows nothing of it did not answer.
PROBE = "pillow"
_PROBE = f"{PROBE}==8.0.0 --hash=sha256:{'0' * 64}\n"


@dataclass(frozen=True)
class Verdict:
    """What became of an audit.

    Attributes:
        code: `CLEAN`, `KNOWN` or `NOT_DONE`; the exit code.
        lines: For a human; the last one alone says which of the three it is.
    """

    code: int
    lines: tuple[str, ...]


def judge(answer: str, errors: str) -> Verdict:
    """Tell a pass from what merely looks like one.

    Args:
        answer: What pip-audit printed, its JSON form where it came so far. Its exit code is of no use: it is 0 where
            the database knew none of the packages, and 1 both for an advisory and for a broken network.
        errors: What it said beside that.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(answer)["dependencies"]
    except (ValueError, KeyError, TypeError):
        why = errors.strip().splitlines()[-1:]
        return Verdict(NOT_DONE, (*why, "NOT DONE, the advisory database could not be asked; this is no pass"))
    told = {package["name"]: package for package in packages}
    probe = told.pop(PROBE, {})
    packages = list(told.values())
    known = [
        f"{package['name']} {package['version']}: {found['id']} {' '.join(found['aliases'])}, "
        f"mended in {', '.join(found['fix_versions']) or 'no release yet'}"
        for package in packages
        for found in package.get("vulns", ())
    ]
    skipped = [f"{package['name']}: {package['skip_reason']}" for package in packages if "skip_reason" in package]
    if known:
        return Verdict(KNOWN, (*skipped, *known, f"known advisories: {len(known)}"))
    if skipped or not packages:
        return Verdict(
            NOT_DONE, (*skipped, f"NOT DONE for {len(skipped)} of {len(packages)} packages; this is no pass")
        )
    if not probe.get("vulns"):
        return Verdict(NOT_DONE, ("NOT DONE, what answers there knows no advisory at all; this is no pass",))
    return Verdict(CLEAN, (f"no known advisory, of {len(packages)} packages",))


def audit(lock: Path, database: str, cache: Path, ignored: Sequence[str]) -> Verdict:
    """Ask the database about all that a lock names.

    Args:
        lock: A requirement file in which every line has its hashes.
        database: URL of an OSV service's `query`.
        cache: Where pip-audit keeps what it fetched.
        ignored: Advisories that somebody has looked at and that do not concern us.
    """
    command = [sys.executable, "-m", "pip_audit", "--disable-pip", "--require-hashes", "--progress-spinner", "off"]
    command += ["--format", "json", "--vulnerability-service", "osv", "--osv-url", database, "--cache-dir", str(cache)]
    for name in ignored:
        command += ["--ignore-vuln", name]
    with tempfile.NamedTemporaryFile("w", prefix="probe-", suffix=".txt") as probe:
        probe.write(_PROBE)
        probe.flush()
        command += ["--requirement", str(lock), "--requirement", probe.name]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - the tool beside us
    return judge(done.stdout, done.stderr)


def main() -> int:
    """Audit the locks, and say what came of it."""
    parser = argparse.ArgumentParser(description="Look for known advisories against all that the locks name.")
    parser.add_argument("--database", default=DATABASE, help="URL of an OSV service's `query`")
    parser.add_argument("--cache", type=Path, required=True, help="directory for what was fetched")
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="an advisory that is no concern")
    parser.add_argument("locks", nargs="*", type=Path, default=[HERE / name for name in LOCKS])
    given = parser.parse_args()
    codes = set()
    for lock in given.locks:
        verdict = audit(lock, given.database, given.cache, given.ignore)
        codes.add(verdict.code)
        out = sys.stdout if verdict.code == CLEAN else sys.stderr
        out.write("".join(f"{lock.name}: {line}\n" for line in verdict.lines))
    return next(code for code in (KNOWN, NOT_DONE, CLEAN) if code in codes)


if __name__ == "__main__":
    sys.exit(main())
