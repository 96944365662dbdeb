"""Credentials in files, as orchestrators put them there."""

from pathlib import Path

from vault_plugin_sdk.framework.secretstr import SecretStr


class CredentialMissing(Exception):  # noqa: N818 - what the operator has to mend
    """There is nothing to log in with: the text says why, and what to do."""


def from_file(path: str) -> SecretStr:
    """The content of a file without the white space around it. Raises: CredentialMissing: unreadable or empty."""
    try:
        text = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise CredentialMissing(f"{path} cannot be read: {getattr(exc, 'strerror', None) or 'not a text'}") from None
    if not text:
        raise CredentialMissing(f"{path} is empty")
    return SecretStr(text)


def check(credential: SecretStr) -> SecretStr:
    """The credential itself, where a header can carry it. Raises: CredentialMissing: else its error would show it."""
    if not (credential.reveal().isascii() and credential.reveal().isprintable()):
        raise CredentialMissing("the credential holds characters that none has")
    return credential
