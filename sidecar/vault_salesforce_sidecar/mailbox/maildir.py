"""A mailbox that is a directory of files, as a mail server on the same machine writes it.

Source: https://cr.yp.to/proto/maildir.html
"""

import base64
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.mailbox.address import MAILDIR
from vault_salesforce_sidecar.mailbox.mail import LARGEST_MAIL, Mail, MailboxUnavailable, MarkOfAnother

MARK_NAMES = 512
_DIGEST_BYTES = 6
_KIND = "maildir1"


@dataclass(frozen=True)
class _File:
    """One mail's file; `name` is without its flags, so it stays when a mail reader moves the file."""

    name: str
    path: Path
    arrived: int

    @property
    def digest(self) -> bytes:
        return hashlib.sha256(self.name.encode("utf-8", "surrogateescape")).digest()[:_DIGEST_BYTES]


class Maildir:
    """See `Mailbox`.

    A mark holds a digest of each name that is there, so no clock is asked what is new. Of more than `MARK_NAMES` mails
    it holds the latest, by the time of their files, and that of the latest one left out: whatever is not later than
    that one is old as well. A mail of more than `LARGEST_MAIL` bytes is passed over.

    Args:
        path: The directory that holds `new` and `cur`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def mark(self) -> str:
        """See `Mailbox.mark`: at most 5 KiB."""
        files = sorted(self._files(), key=lambda file: file.arrived, reverse=True)
        kept, left_out = files[:MARK_NAMES], files[MARK_NAMES:]
        digests = b"".join(sorted(file.digest for file in kept))
        boundary = left_out[0].arrived if left_out else -1
        return f"{_KIND}.{boundary}.{base64.urlsafe_b64encode(digests).decode()}"

    def above(self, mark: str) -> list[Mail]:
        """See `Mailbox.above`."""
        boundary, known = _parse(mark)
        fresh = [file for file in self._files() if file.arrived > boundary and file.digest not in known]
        fresh.sort(key=lambda file: (file.arrived, file.name))
        read = ((file, self._read(file)) for file in fresh)
        return [Mail(file.name, raw) for file, raw in read if raw is not None]

    def delete(self, key: str) -> None:
        """See `Mailbox.delete`."""
        for file in self._files():
            if file.name == key:
                try:
                    file.path.unlink(missing_ok=True)
                except OSError as exc:
                    raise MailboxUnavailable(f"a mail cannot be removed from the maildir: {exc.strerror}") from exc

    def latest(self) -> None:
        """See `Mailbox.latest`: a directory is read as fast as a mark is made."""

    def _files(self) -> list[_File]:
        # `new` first: a mail moves from there to `cur`, and so is met once at least.
        found: dict[str, _File] = {}
        for part in ("new", "cur"):
            for file in self._files_in(self._path / part):
                found[file.name] = file
        return list(found.values())

    def _files_in(self, directory: Path) -> list[_File]:
        try:
            paths = [path for path in directory.iterdir() if not path.name.startswith(".")]
        except OSError as exc:
            raise MailboxUnavailable(f"the maildir cannot be read: {exc.strerror}") from exc
        files = []
        for path in paths:
            try:
                about = path.lstat()
            except OSError:  # moved or removed meanwhile
                continue
            if stat.S_ISREG(about.st_mode):
                files.append(_File(path.name.partition(":")[0], path, about.st_mtime_ns))
        return files

    def _read(self, file: _File) -> bytes | None:
        raw = _content(file.path)
        if raw is None:  # its flags have changed, or it moved to `cur`
            moved = (other.path for other in self._files_in(self._path / "cur") if other.name == file.name)
            raw = next((content for path in moved if (content := _content(path)) is not None), None)
        return raw if raw is not None and len(raw) <= LARGEST_MAIL else None


def open_mailbox(address: str, allowed_root: Path | str) -> Maildir:
    """The maildir at a connection's `mailbox`; nothing is read yet.

    Args:
        address: `maildir:<absolute path>`.
        allowed_root: The folder below which the sidecar's settings allow maildirs; empty: nowhere.

    Raises: CallerError where it is another kind of address, or leads elsewhere.
    """
    if not address.startswith(MAILDIR):
        raise CallerError("mailbox must be maildir:<path> or imaps://<user>@<host>/<folder>")
    if not str(allowed_root):
        raise CallerError("mailbox: this sidecar's settings allow no maildirs")
    path = Path(address.removeprefix(MAILDIR))
    try:
        resolved, root = path.resolve(), Path(allowed_root).resolve()
    except (OSError, ValueError, RuntimeError) as exc:  # such as a null byte, or a circle of links
        raise CallerError("mailbox leads to no directory") from exc
    if not path.is_absolute() or not resolved.is_relative_to(root):
        raise CallerError("mailbox must lead below the directory that the sidecar's settings allow")
    return Maildir(resolved)


def _content(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    except OSError as exc:
        raise MailboxUnavailable(f"a mail in the maildir cannot be read: {exc.strerror}") from exc
    with os.fdopen(descriptor, "rb") as opened:
        return opened.read(LARGEST_MAIL + 1)


def _parse(mark: str) -> tuple[int, set[bytes]]:
    kind, _, rest = mark.partition(".")
    boundary, _, text = rest.partition(".")
    try:
        arrived, digests = int(boundary), base64.urlsafe_b64decode(text)
    except ValueError:
        kind = ""
    if kind != _KIND:
        raise MarkOfAnother
    places = range(0, len(digests), _DIGEST_BYTES)
    return arrived, {digests[place : place + _DIGEST_BYTES] for place in places}
