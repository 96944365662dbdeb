"""Which files a plugin's process loads, or may load: the packages of its modules, whole, and the libraries of those."""

import json
import py_compile
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import MAGIC_NUMBER, cache_from_source, source_hash
from pathlib import Path

from vault_salesforce_plugin.manifest import HEADER_BYTES, SOURCE, library_directories, module_name

# -I: neither PYTHON… variables, which a server hands down, nor the user's own packages. -S: no `site`, which would run
# the environment's .pth files before anything is checked. -B: write no byte code.
FLAGS = "-ISB"
_PROBE = """
import json, sys
sys.path += {places!r}
import {modules}
loaded = {{name: getattr(module, "__file__", None) for name, module in sys.modules.items()}}
with open("/proc/self/maps") as maps:
    mapped = sorted({{line.split(None, 5)[5].strip() for line in maps if line.count("/")}})
print(json.dumps([loaded, mapped]))
"""
# What is imported after the handshake comes with the first of these.
_MODULES = (
    "vault_salesforce_plugin.backend",
    "vault_salesforce_plugin.__main__",
    "vault_plugin_sdk.wire.process",
    "vault_plugin_sdk.wire.log",
)
_LONGEST_SECONDS = 60
_MADE_BY_HASH = 1  # of byte code's flags: it names its source by hash instead of time and size


class NotInstalled(Exception):  # noqa: N818 - a state of the environment
    """The plugin cannot be loaded with the interpreter that the launcher would name; the text says why."""


@dataclass(frozen=True)
class Closure:
    """What the manifest covers.

    Attributes:
        places: Directories that modules are imported from.
        files: Every file, sorted: source, byte code that belongs to it, extension modules, libraries of those.
        without_byte_code: Of the sources, those that each start has to compile.
    """

    places: tuple[Path, ...]
    files: tuple[Path, ...]
    without_byte_code: tuple[Path, ...]


def interpreter() -> Path:
    """The Python below the virtual environment, if any: who can write to the environment cannot replace it."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return Path(base).resolve()


def find(python: Path) -> Closure:
    """Load the plugin as the launcher will, and see what it is made of.

    Args:
        python: The interpreter that the launcher names.

    Returns:
        Its packages, whole: what is imported in passing, or only after a fault, belongs to them too.

    Raises:
        NotInstalled: The plugin does not load.
    """
    found = _places()
    loaded, mapped = _probe(python, found)
    # The deepest first: one may be inside another.
    places = sorted(found, key=len, reverse=True)
    used: set[str] = set()
    files: set[Path] = set()
    for name, file in loaded.items():
        place = _place_of(file, places) if file else None
        if file and place and module_name(file, [place]) == name:
            used.add(place)
            files.update(_package_of(Path(file), place, loaded))
    files.update(libraries(mapped, [place for place in places if place in used]))
    byte_code, missing = _byte_code(file for file in files if file.suffix == SOURCE)
    return Closure(tuple(Path(place) for place in places if place in used), tuple(sorted(files | byte_code)), missing)


def libraries(mapped: Iterable[str], places: Sequence[str]) -> set[Path]:
    """Of what is mapped, the files below the places; with one in a directory of libraries, all that are in it."""
    below = [path for path in mapped if _place_of(path, places)]
    found = {Path(path) for path in below}
    for directory in library_directories(below, places):
        found.update(path for path in Path(directory).iterdir() if path.is_file())
    return found


def _places() -> list[str]:
    """Where this process imports from, without the standard library, which every Python finds by itself."""
    library = {str(Path(sysconfig.get_path(kind)).resolve()) for kind in ("stdlib", "platstdlib")}
    library |= {f"{path}/lib-dynload" for path in library}
    found = dict.fromkeys(str(Path(path).resolve()) for path in sys.path if Path(path).is_dir())
    return [path for path in found if path not in library]


def _probe(python: Path, places: Sequence[str]) -> tuple[dict[str, str | None], list[str]]:
    code = _PROBE.format(places=list(places), modules=", ".join(_MODULES))
    try:
        ran = subprocess.run(  # noqa: S603 - our own program
            [python, FLAGS, "-c", code], capture_output=True, text=True, timeout=_LONGEST_SECONDS, check=True
        )
    except subprocess.CalledProcessError as exc:
        last = (exc.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NotInstalled(f"the plugin does not load with {python}: {last}") from exc
    except (OSError, subprocess.TimeoutExpired) as exc:
        raise NotInstalled(f"{python} cannot be run: {exc}") from exc
    loaded, mapped = json.loads(ran.stdout)
    return loaded, mapped


def _place_of(path: str, places: Iterable[str]) -> str | None:
    return next((place for place in places if path.startswith(f"{place}/")), None)


def _package_of(file: Path, place: str, loaded: dict[str, str | None]) -> Iterable[Path]:
    """The module's topmost package with a file of its own, whole; a namespace above it belongs to nobody."""
    parts = file.relative_to(place).parts
    for depth in range(1, len(parts)):
        if loaded.get(".".join(parts[:depth])):
            top = Path(place, *parts[:depth])
            return (found for found in top.rglob("*") if _is_module(found) and module_name(str(found), [place]))
    return (file,)


def _is_module(path: Path) -> bool:
    return path.name.endswith((SOURCE, *EXTENSION_SUFFIXES)) and path.is_file()


def _byte_code(sources: Iterable[Path]) -> tuple[set[Path], tuple[Path, ...]]:
    """The byte code that the sources have, made where it can be; and the sources that have none."""
    found, missing = set(), []
    for source in sources:
        cached = Path(cache_from_source(str(source)))
        if _belongs(cached, source) or _compile(source, cached):
            found.add(cached)
        else:
            missing.append(source)
    return found, tuple(sorted(missing))


def _belongs(cached: Path, source: Path) -> bool:
    """Whether byte code was made of the source as it is now, by what Python itself goes by."""
    try:
        with cached.open("rb") as file:
            head = file.read(HEADER_BYTES)
        seen = source.stat()
        if head[:4] != MAGIC_NUMBER or len(head) < HEADER_BYTES:
            return False
        if int.from_bytes(head[4:8], "little") & _MADE_BY_HASH:
            return head[8:] == source_hash(source.read_bytes())
    except OSError:
        return False
    numbers = (int(seen.st_mtime) & 0xFFFF_FFFF, seen.st_size & 0xFFFF_FFFF)
    return (int.from_bytes(head[8:12], "little"), int.from_bytes(head[12:], "little")) == numbers


def _compile(source: Path, cached: Path) -> bool:
    try:
        py_compile.compile(str(source), str(cached), doraise=True)
    except (OSError, py_compile.PyCompileError):
        return False
    return True
