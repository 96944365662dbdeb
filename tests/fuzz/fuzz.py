"""The fuzzer: every entrance in turn, from its corpus on; what it finds is left in `findings/`, for the corpus.

Run by `make fuzz`, in an environment that has atheris.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FINDINGS = HERE / "findings"
LONGEST = 16_384  # bytes
SLOWEST_SECONDS = 10  # of one of them


def main(seconds: int, names: list[str]) -> int:
    """Fuzz each for so long, in a process of its own.

    Returns: 0 where nothing was found.
    """
    FINDINGS.mkdir(exist_ok=True)
    found = []
    for name in names or sorted(path.name for path in HERE.joinpath("corpus").iterdir()):
        with tempfile.TemporaryDirectory() as made:
            options = (
                f"-max_total_time={seconds}",
                f"-max_len={LONGEST}",
                f"-timeout={SLOWEST_SECONDS}",
                "-verbosity=0",
            )
            where = (f"-artifact_prefix={FINDINGS}/{name}-", made, str(HERE / "corpus" / name))
            ended = subprocess.run([sys.executable, __file__, "--one", name, *options, *where], check=False)
        sys.stdout.write(f"fuzz: {name}: {'a finding' if ended.returncode else 'nothing'}\n")
        sys.stdout.flush()
        found += [name] if ended.returncode else []
    return 1 if found else 0


def one(name: str, options: list[str]) -> None:
    """Fuzz one entrance, as libFuzzer is told to."""
    import atheris

    sys.path.insert(0, str(HERE.parent))
    with atheris.instrument_imports(
        include=["vault_salesforce_sidecar", "vault_salesforce_contract", "vault_plugin_sdk"]
    ):
        from entrances import ENTRANCES

    atheris.Setup([sys.argv[0], *options], ENTRANCES[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
