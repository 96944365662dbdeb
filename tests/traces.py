"""Secrets as they went over the wire, and the places where something of them could have been left."""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus, unquote_plus

if TYPE_CHECKING:
    from vault_salesforce.dev.rest import Rest

SHORTEST = 9  # what is shorter is found everywhere
_NAMES = rb"\w*(?:password|token|secret|secret_id|private_key|assertion|secretkey)"
# What carries a secret in a request or an answer: its name, and the value.
_CARRIERS = (
    (re.compile(rb'"(' + _NAMES + rb')" ?: ?"((?:[^"\\]|\\.)+)"', re.IGNORECASE), lambda text: json.loads(f'"{text}"')),
    (re.compile(rb"<(?:\w+:)?(" + _NAMES + rb"|sessionId)(?: [^>]*)?>([^<]+)<", re.IGNORECASE), html.unescape),
    (re.compile(rb"(?:^|[&\n])(" + _NAMES + rb")=([^&\s]+)", re.IGNORECASE), unquote_plus),
    (re.compile(rb"^(X-Vault-Token): (\S+)", re.IGNORECASE | re.MULTILINE), str),
    (re.compile(rb"^(Authorization): \w+ (\S+)", re.IGNORECASE | re.MULTILINE), str),
)


def carried(heard: bytes) -> dict[str, set[str]]:
    """Every secret in a copy of a wire, by the name of what carried it (in lower case)."""
    found: dict[str, set[str]] = {}
    for pattern, read in _CARRIERS:
        for name, value in pattern.findall(heard):
            found.setdefault(name.decode().lower(), set()).add(read(value.decode()))
    return found


class Needles:
    """Secrets to look for, in every spelling that a program may have given them.

    Args:
        secrets: The secrets; those of several lines are looked for line by line.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        lines = {line for secret in secrets for line in secret.splitlines()}
        self.secrets = {line for line in lines if len(line) >= SHORTEST and not line.startswith("-----")}
        self._spellings = {spelling.encode(): secret for secret in self.secrets for spelling in _spellings(secret)}

    def found_in(self, content: bytes) -> list[str]:
        """The first characters of each that is there."""
        return sorted({secret[:5] for spelling, secret in self._spellings.items() if spelling in content})

    def found(self, places: Iterable[tuple[str, bytes]]) -> dict[str, list[str]]:
        """The places where one is, with its first characters."""
        return {name: found for name, content in places if (found := self.found_in(content))}


def _spellings(secret: str) -> set[str]:
    plain = secret.encode()
    # Within a longer text base64 begins at any of three places; what is common to all texts stands in the middle.
    packed = {base64.b64encode(b"\0" * before + plain).decode()[8:-4] for before in range(3)}
    return {
        secret,
        json.dumps(secret)[1:-1],
        _as_go(json.dumps(secret, ensure_ascii=False)[1:-1]),
        html.escape(secret),
        quote(secret, safe=""),
        quote_plus(secret),
        repr(secret)[1:-1],
        plain.hex(),
        *(text for text in packed if len(text) >= SHORTEST),
    }


def _as_go(text: str) -> str:
    """Go's JSON is safe within HTML."""
    for character in "&<>":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def files(directory: Path) -> Iterator[tuple[str, bytes]]:
    """Every file below a directory, its name too; sockets and what vanishes meanwhile are left out."""
    for path in directory.rglob("*"):
        if path.is_file() and not path.is_symlink():
            name = str(path.relative_to(directory))
            try:
                yield name, name.encode() + b"\n" + path.read_bytes()
            except FileNotFoundError:
                continue


def processes(sessions: Iterable[int]) -> Iterator[tuple[str, bytes]]:
    """Command line and environment of each process that belongs to these sessions."""
    wanted = set(sessions)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            session = int((process / "stat").read_text().rpartition(")")[2].split()[3])
            if session in wanted:
                for what in ("cmdline", "environ"):
                    yield f"{what} of {process.name}", (process / what).read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue


def storage(vault: "Rest", at: str = "") -> Iterator[tuple[str, bytes]]:
    """Every entry of the server's storage, decrypted: its path, and what is in it. The server must allow `sys/raw`."""
    for key in vault.send("LIST", f"v1/sys/raw/{quote(at)}").data.get("keys") or ():
        if key.endswith("/"):
            yield from storage(vault, at + key)
        else:
            answer: Mapping[str, str] = vault.send("GET", f"v1/sys/raw/{quote(at + key)}?encoding=base64").data
            yield at + key, base64.b64decode(answer.get("value") or "")
