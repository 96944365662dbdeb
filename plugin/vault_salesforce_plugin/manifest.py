"""What a launcher does before anything of ours is loaded: check every file of the plugin, and load nothing else.

A launcher holds the text of this module, so that the registered sha256 covers the check as well: only the standard
library is imported here. It runs without `site`, so nothing of the environment has run before: no `.pth` file, no
`sitecustomize`. Whatever is not in the manifest cannot be imported, unless it belongs to the standard library.
"""

import hashlib
import marshal
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec, SourceFileLoader
from importlib.util import MAGIC_NUMBER, cache_from_source, spec_from_file_location
from types import CodeType, ModuleType
from typing import NoReturn

SOURCE, BYTE_CODE = ".py", ".pyc"
HEADER_BYTES = 16  # of byte code: kind, and what it was made of
_COOKIE = "VAULT_BACKEND_PLUGIN"  # a server is there to read what is said
_AGAIN = "run install-plugin again, and register the sha256 that it prints"


class Changed(Exception):  # noqa: N818 - what happened, not a fault of the program that reads it
    """A file is not the one that the launcher was made for; the text is one sentence with the next step."""


def parse(manifest: str) -> dict[str, str]:
    """The manifest's lines, `<sha256>  <absolute path>` as sha256sum writes them. Returns: path → sha256, in hex."""
    return {path: sha256 for sha256, path in (line.split("  ", 1) for line in manifest.splitlines())}


def check(hashes: Mapping[str, str]) -> None:
    """Compare every file with its hash.

    Byte code is left out: it is compared when it is loaded, and where it differs its source is compiled instead.

    Args:
        hashes: path → sha256.

    Raises:
        Changed: Names the first file that differs or cannot be read.
    """
    for path, expected in hashes.items():
        if path.endswith(BYTE_CODE):
            continue
        try:
            with open(path, "rb", buffering=0) as file:  # noqa: PTH123 - pathlib loads slowly
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as exc:
            raise Changed(f"{path} cannot be read ({exc.strerror}): {_AGAIN}") from exc
        if found != expected:
            raise Changed(f"{path} is not the file that this launcher was made for: {_AGAIN}")


def check_libraries(hashes: Mapping[str, str], places: Sequence[str]) -> None:
    """See that nothing was put beside the libraries of extension modules: the system's loader looks there first, also
    for a library that it would else find at its usual place.

    Args:
        hashes: path → sha256.
        places: See `Finder`.

    Raises:
        Changed: Names the first that is not in the manifest.
    """
    for directory in sorted(library_directories(hashes, places)):
        for name in sorted(os.listdir(directory)):  # noqa: PTH208 - pathlib loads slowly
            if f"{directory}/{name}" not in hashes:
                raise Changed(f"{directory}/{name} was not there when this launcher was made: {_AGAIN}")


def library_directories(paths: Iterable[str], places: Sequence[str]) -> set[str]:
    """The directories of files below the places in which no module can be, such as `cffi.libs`."""
    directories = {path.rpartition("/")[0] for path in paths}
    return {
        directory
        for directory in directories
        if directory.startswith(tuple(f"{place}/" for place in places))
        and module_name(f"{directory}/any{SOURCE}", places) is None
    }


def module_name(path: str, places: Sequence[str]) -> str | None:
    """The name by which a file below one of the places is imported; None for one that is no module."""
    for place in places:
        if not path.startswith(f"{place}/"):
            continue
        relative = path[len(place) + 1 :]
        for suffix in (SOURCE, *EXTENSION_SUFFIXES):
            if relative.endswith(suffix):
                parts = relative.removesuffix(suffix).split("/")
                parts = parts[:-1] if parts[-1] == "__init__" else parts
                return ".".join(parts) if all(part.isidentifier() for part in parts) else None
    return None


class CheckedLoader(SourceFileLoader):
    """Runs exactly the bytes that it has compared with the manifest: byte code, or else the source.

    Args:
        hashes: path → sha256, with the module's own.
    """

    def __init__(self, name: str, path: str, hashes: Mapping[str, str]) -> None:
        super().__init__(name, path)
        self._hashes = hashes

    def get_code(self, fullname: str) -> CodeType:
        """See `importlib.abc.InspectLoader`. Raises: ImportError where the source was changed since it was checked."""
        byte_code = cache_from_source(self.path)
        if byte_code in self._hashes:
            try:
                data = self.get_data(byte_code)
            except OSError:
                data = b""
            if hashlib.sha256(data).hexdigest() == self._hashes[byte_code]:
                code: CodeType = marshal.loads(memoryview(data)[HEADER_BYTES:])  # noqa: S302 - as it was installed
                return code
        source = self.get_data(self.path)
        if hashlib.sha256(source).hexdigest() != self._hashes[self.path]:
            raise ImportError(f"{self.path} was changed while the plugin started", name=fullname, path=self.path)
        return self.source_to_code(source, self.path)


class Finder:
    """Finds the manifest's modules, and nothing else below their packages.

    Args:
        hashes: path → sha256.
        places: Directories that the modules' names begin below; of two that hold a path, the first counts.
    """

    def __init__(self, hashes: Mapping[str, str], places: Sequence[str]) -> None:
        self._hashes = hashes
        self._paths = {name: path for path in hashes if (name := module_name(path, places))}
        parts = [name.split(".") for name in self._paths]
        parents = {".".join(each[:depth]) for each in parts for depth in range(1, len(each))}
        self._namespaces = parents - self._paths.keys()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See `importlib.abc.MetaPathFinder`."""
        if name in self._namespaces:
            return ModuleSpec(name, None, is_package=True)
        file = self._paths.get(name)
        if file is None:
            return None
        if not file.endswith(SOURCE):
            return spec_from_file_location(name, file, loader=ExtensionFileLoader(name, file))
        spec = spec_from_file_location(name, file, loader=CheckedLoader(name, file, self._hashes))
        if spec and spec.submodule_search_locations:
            # The finders after this one must not look into a package's directory.
            spec.submodule_search_locations = []
        return spec


def start(manifest: str, places: Sequence[str], magic_number: str) -> None:
    """Check every file, and make the manifest's modules the only ones beside the standard library's.

    Args:
        manifest: See `parse`.
        places: See `Finder`.
        magic_number: Of the byte code of the Python that the launcher was made for, in hex.

    Raises:
        SystemExit: 1, and one line on stderr says which file differs.
    """
    if magic_number != MAGIC_NUMBER.hex():
        _refuse(f"{sys.executable} is another Python than the one that this launcher was made for: {_AGAIN}")
    hashes = parse(manifest)
    try:
        check(hashes)
        check_libraries(hashes, places)
    except Changed as exc:
        _refuse(str(exc))
    sys.meta_path.insert(0, Finder(hashes, places))


def _refuse(sentence: str) -> NoReturn:
    sentence = f"{sys.argv[0]} does not start: {sentence}"
    sys.stderr.write(f"{sentence}\n")
    if _COOKIE in os.environ:
        # The server repeats the line that it reads in place of a handshake, to whoever wanted to mount the plugin.
        sys.stdout.write(f"{sentence}\n")
        sys.stdout.flush()
    sys.exit(1)
