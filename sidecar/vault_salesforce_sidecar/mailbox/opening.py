"""The mailboxes of connections, each shared by all that name the same one."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.clock import Clock
from vault_salesforce_sidecar.mailbox import maildir
from vault_salesforce_sidecar.mailbox.access_tokens import AccessTokens, secret_fault
from vault_salesforce_sidecar.mailbox.address import IMAPS, Address, parse
from vault_salesforce_sidecar.mailbox.imap import Folder, open_folder
from vault_salesforce_sidecar.mailbox.mail import Mailbox, MailboxUnavailable
from vault_salesforce_sidecar.mailbox.metered import tls_context
from vault_salesforce_sidecar.mailbox.watched import Pace, WatchedMailbox


class Mailboxes:
    """Opens mailboxes. Nothing is read, and no thread runs, before the first question to one of them.

    Args:
        maildir_root: The folder below which the sidecar's settings allow maildirs; empty: nowhere.
        clock: Time.
        arrived: Told from a mailbox's thread that a mail of Salesforce's came; never raises, never blocks.
        pace: How patient the threads are.
    """

    def __init__(
        self,
        maildir_root: Path | str,
        clock: Clock,
        arrived: Callable[[], None] = lambda: None,
        pace: Pace | None = None,
    ) -> None:
        self._root, self._clock, self._arrived, self._pace = maildir_root, clock, arrived, pace or Pace()
        self._lock = threading.Lock()
        self._watched: dict[bytes, WatchedMailbox] = {}

    def open(self, config: Config) -> Mailbox | None:
        """The connection's mailbox; None where it has none.

        Raises: CallerError 400: the settings allow no such one, or it cannot be one.
        """
        if not config.mailbox:
            return None
        if not config.mailbox.lower().startswith(IMAPS):
            return maildir.open_mailbox(config.mailbox, self._root)
        key = _digest(config)
        with self._lock:
            if key not in self._watched:
                self._watched[key] = self._watch(config)
            return self._watched[key]

    def stop(self) -> None:
        """End every thread, and wait for each a little."""
        with self._lock:
            watched, self._watched = list(self._watched.values()), {}
        for mailbox in watched:
            mailbox.stop()

    def _watch(self, config: Config) -> WatchedMailbox:
        check_mailbox(config, self._root)
        address = parse(config.mailbox)
        door = _Door(address, config.mailbox_auth, config.mailbox_password, config.ca_cert)
        return WatchedMailbox(f"{address.username} at {address.host}", door, self._clock, self._arrived, self._pace)


def check_mailbox(config: Config, maildir_root: Path | str) -> None:
    """Raises CallerError 400 where the record alone shows that its mailbox cannot be opened."""
    if not config.mailbox:
        return
    if not config.mailbox.lower().startswith(IMAPS):
        maildir.open_mailbox(config.mailbox, maildir_root)
        return
    try:
        parse(config.mailbox)
    except ValueError as exc:
        raise CallerError(f"mailbox {exc}") from exc
    if not config.mailbox_password:
        raise CallerError("mailbox_password is missing: an imaps:// mailbox is opened with it")
    fault = secret_fault(config.mailbox_password) if config.mailbox_auth == "xoauth2" else None
    if fault:
        raise CallerError(f"mailbox_password {fault}")


class _Door:
    """Opens the folder of one connection. The authorities are loaded when it is opened for the first time."""

    def __init__(self, address: Address, auth: str, secret: SecretStr, ca_cert: str) -> None:
        self._address, self._auth = address, auth
        self._context = tls_context(ca_cert)
        self._tokens = AccessTokens(secret, self._context) if auth == "xoauth2" else None
        self._secret = secret

    def __call__(self, *, readonly: bool, within: float | None = None) -> AbstractContextManager[Folder]:
        return self._open(readonly=readonly, within=within)

    @contextmanager
    def _open(self, *, readonly: bool, within: float | None) -> Iterator[Folder]:
        try:
            with open_folder(
                self._address, self._auth, self._current, self._context, readonly=readonly, within=within
            ) as folder:
                yield folder
        except MailboxUnavailable:
            if self._tokens is not None:
                self._tokens.forget()  # it may have been taken back before its time
            raise

    def _current(self) -> SecretStr:
        return self._secret if self._tokens is None else self._tokens.current()


def _digest(config: Config) -> bytes:
    """What tells one way of opening a mailbox from another; of the secret only this is kept in the table's keys."""
    parts = (config.mailbox, config.mailbox_auth, config.mailbox_password.reveal(), config.ca_cert)
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
