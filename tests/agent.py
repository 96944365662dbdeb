"""The real `bao agent` and `bao proxy` as tests run them, and every content that an agent rendered, in order."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from servers import NEWEST

from vault_salesforce.dev.part import Part, Program

DOCUMENT = Path(__file__).parents[1] / "docs" / "consumers.md"
_ONCE_SECONDS = 30.0
# A copy of the file for each time that the agent ran the hook, renamed so that nobody sees half of one; then the rest.
_KEEP = 'cp "$1" "$2/.new" && mv "$2/.new" "$2/$(ls "$2" | wc -l)" && shift 2 && if [ $# -gt 0 ]; then exec "$@"; fi'


def documented(title: str) -> str:
    """The block of `docs/consumers.md` whose first line is the comment `# <title>`."""
    text = DOCUMENT.read_text()
    blocks = re.findall(r"^```\w+\n(.*?)^```$", text, flags=re.DOTALL | re.MULTILINE)
    (found,) = (block for block in blocks if block.startswith(f"# {title}\n"))
    return str(found)


class Renders:
    """Where the hook of one template keeps each content that was rendered.

    Args:
        destination: The rendered file.
        inside: The same file as the agent knows it, where that is not the same.
        then: What the hook becomes after that, given the file as its last argument.
    """

    def __init__(self, destination: Path, *, inside: Path | None = None, then: tuple[str, ...] = ()) -> None:
        self.destination = destination
        self._inside, self._then = inside or destination, then
        self._folder = self._beside(destination)
        self._folder.mkdir(parents=True)

    @property
    def command(self) -> list[str]:
        """The hook."""
        then = [*self._then, str(self._inside)] if self._then else []
        return ["/bin/sh", "-c", _KEEP, "keep", str(self._inside), str(self._beside(self._inside)), *then]

    def texts(self) -> list[str]:
        """The contents, oldest first."""
        kept = (path for path in self._folder.iterdir() if path.name.isdigit())
        return [path.read_text() for path in sorted(kept, key=lambda path: int(path.name))]

    def credentials(self) -> list[dict[str, Any]]:
        """The same, of a template that writes JSON."""
        return [json.loads(text) for text in self.texts()]

    def versions(self) -> list[int]:
        """The versions that were rendered."""
        return [credential["version"] for credential in self.credentials()]

    @staticmethod
    def _beside(file: Path) -> Path:
        return file.with_name(f"{file.name}.renders")


class Agent:
    """One `bao agent` (or `bao proxy`), with a directory of its own.

    Args:
        directory: Where its configuration and its log are.
        configuration: HCL, or what becomes JSON.
        binary: The program.
        mode: `agent` or `proxy`.
        wrapped: What runs the program, given its command line; by itself where it is left out.
    """

    def __init__(
        self,
        directory: Path,
        configuration: str | Mapping[str, Any],
        *,
        binary: Path = NEWEST,
        mode: str = "agent",
        wrapped: Callable[[list[str]], list[str]] = list,
    ) -> None:
        directory.mkdir(exist_ok=True)
        text = configuration if isinstance(configuration, str) else json.dumps(configuration)
        file = directory / ("agent.hcl" if isinstance(configuration, str) else "config.json")
        file.write_text(text)
        self._command = wrapped([str(binary), mode, f"-config={file}"])
        self._environment = {"HOME": str(directory), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
        program = Program(self._command, self._environment)
        self._part = Part(mode, lambda: program, directory, lambda _: None)

    def start(self, ready: Callable[[], Any]) -> None:
        """Start it, and wait until `ready`."""
        self._part.start(lambda: bool(ready()))

    def stop(self) -> None:
        """End it. Twice does no harm."""
        self._part.stop()

    def once(self) -> "subprocess.CompletedProcess[str]":
        """Run it to its own end, as an init container does."""
        return subprocess.run(
            self._command,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_ONCE_SECONDS,
            check=False,
        )

    @property
    def log(self) -> str:
        """All that it wrote since it was first started."""
        files = (file for file in (self._part.output, self._part.errors) if file.exists())
        return "".join(file.read_text() for file in files)


class Audit:
    """The answers that the server gave since this was made, from its audit file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._place = file.stat().st_size
        self._rest = b""
        self._paths: list[str] = []

    def answers(self, path: str) -> int:
        """How many requests for this path, or renewals of leases below it, were answered."""
        self._paths += self._new()
        return sum(each == path or each.startswith(f"{path}/") for each in self._paths)

    def reads(self, path: str) -> int:
        """How many requests for this path alone were answered."""
        self._paths += self._new()
        return self._paths.count(path)

    def _new(self) -> Iterator[str]:
        with self._file.open("rb") as file:
            file.seek(self._place)
            read = file.read()
        self._place += len(read)
        *lines, self._rest = (self._rest + read).split(b"\n")
        for entry in map(json.loads, lines):
            if entry["type"] == "response":
                lease = entry.get("response", {}).get("secret", {}).get("lease_id", "")
                renewed = entry["request"].get("path") == "sys/leases/renew"
                yield lease if renewed else entry["request"].get("path", "")
