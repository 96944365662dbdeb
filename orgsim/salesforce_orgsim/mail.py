"""What the org's letters say: senders, wordings old and new, branded or not, and in the user's language."""

import html
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime, formataddr, make_msgid

from .user import User

TOKEN = "security_token"  # noqa: S105 -- a kind of letter
RESET_LINK = "password_reset"
RESET_FAILURE = "password_reset_failure"
BY_HAND = "by_hand"

NEW_SENDER, OLD_SENDER = "noreply@salesforce.com", "support@salesforce.com"
OLD_SUBJECT = "salesforce.com security token confirmation"


@dataclass(frozen=True)
class _Wording:
    """The token mail in one language; `{product}` is Salesforce, or the brand that an org has put in its place."""

    subject: str
    opening: str
    username: str
    token: str
    closing: str


_WORDINGS = {
    "en_US": _Wording(
        "Your new {product} security token",
        "You have a new {product} security token: it was asked for, or your password was changed.",
        "Username:",
        "Security token (case-sensitive):",
        "For more information on using your security token, see the online help.",
    ),
    "de": _Wording(
        "Ihr neues {product}-Sicherheitstoken",
        "Sie haben ein neues Sicherheitstoken für {product}: Es wurde angefordert, oder Ihr Kennwort wurde geändert.",
        "Benutzername:",
        "Sicherheitstoken (Groß-/Kleinschreibung beachten):",
        "Weitere Informationen zum Sicherheitstoken finden Sie in der Online-Hilfe.",
    ),
    "fr": _Wording(
        "Votre nouveau jeton de sécurité {product}",
        "Vous avez un nouveau jeton de sécurité {product} : il a été demandé, ou votre mot de passe a été modifié.",
        "Nom d'utilisateur :",
        "Jeton de sécurité (respecter la casse) :",
        "Pour plus d'informations sur le jeton de sécurité, consultez l'aide en ligne.",
    ),
    "es": _Wording(
        "Su nuevo token de seguridad de {product}",
        "Tiene un nuevo token de seguridad de {product}: se solicitó, o su contraseña se cambió.",
        "Nombre de usuario:",
        "Token de seguridad (distingue mayúsculas y minúsculas):",
        "Para obtener más información sobre el token de seguridad, consulte la ayuda en línea.",
    ),
    "ja": _Wording(
        "新しい {product} セキュリティトークン",
        "{product} の新しいセキュリティトークンが発行されました。",
        "ユーザ名:",
        "セキュリティトークン (大文字と小文字を区別):",
        "セキュリティトークンについては、オンラインヘルプを参照してください。",
    ),
}


@dataclass(frozen=True)
class Letter:
    """One mail, before it is posted.

    Attributes:
        kind: TOKEN, RESET_LINK, RESET_FAILURE or BY_HAND.
        username: The user it is about; one mailbox may serve many.
        to: The user's e-mail address.
        sender: Address that it comes from.
        time: When the org wrote it.
        sender_name: Name beside the sender's address.
        parts: `both`, `plain` or `html`.
        lang: Its language.
    """

    kind: str
    username: str
    to: str
    sender: str
    subject: str
    body: str = field(repr=False)
    time: datetime
    sender_name: str = "Salesforce"
    parts: str = "both"
    lang: str = "en_US"

    def message(self) -> EmailMessage:
        """Write the letter as RFC 5322 wants it."""
        message = EmailMessage()
        message["From"] = formataddr((self.sender_name, self.sender))
        message["To"] = self.to
        message["Subject"] = self.subject
        message["Date"] = format_datetime(self.time)
        message["Message-ID"] = make_msgid(domain="salesforce.com")
        if self.parts == "html":
            message.set_content(self._html(), subtype="html")
            return message
        message.set_content(self.body)
        if self.parts == "both":
            message.add_alternative(self._html(), subtype="html")
        return message

    def _html(self) -> str:
        rows = "".join(f"<tr><td>{_marked_up(line)}</td></tr>\n" for line in self.body.splitlines() if line)
        return f'<html lang="{self.lang}"><body><table border="0">\n{rows}</table></body></html>\n'


def token_letter(
    user: User, token: str, now: datetime, *, wording: str = "new", brand: str = "", parts: str = "both"
) -> Letter:
    """Write the mail that brings a user's new security token.

    Args:
        user: Whose token it is; the mail is in this user's language.
        token: The token.
        now: The org's time.
        wording: `new` or `old`: which sender and subject.
        brand: What a branded org calls itself; empty is Salesforce.
        parts: `both`, `plain` or `html`.
    """
    product = brand or "Salesforce"
    words = _WORDINGS[user.settings.language]
    body = (
        f"{words.opening.format(product=product)}\n"
        "\n"
        f"{words.username} {user.username}\n"
        f"{words.token} {token}\n"
        "\n"
        f"{words.closing}\n"
    )
    old = wording == "old"
    subject = OLD_SUBJECT if old else words.subject.format(product=product)
    letter = _letter(user, TOKEN, subject, body, now, sender=OLD_SENDER if old else NEW_SENDER)
    return replace(letter, sender_name=product, parts=parts)


def reset_link_letter(user: User, now: datetime) -> Letter:
    """Write the mail that tells a user of a reset and brings a link for choosing a password."""
    body = (
        "An administrator has reset your Salesforce password.\n"
        "\n"
        f"Username: {user.username}\n"
        "\n"
        "Follow this link within 24 hours to choose a new one: https://orgsim.example/secur/forgotpassword\n"
    )
    return _letter(user, RESET_LINK, "Your Salesforce password was reset", body, now)


def reset_failure_letter(user: User, now: datetime) -> Letter:
    """Write the mail that a user gets when the one-day rule refused an administrator's reset."""
    body = (
        "An administrator tried to reset your Salesforce password, which cannot be reset at this time.\n"
        "\n"
        f"Username: {user.username}\n"
        "\n"
        "A password can be changed once a day. Yours has not been changed.\n"
    )
    return _letter(user, RESET_FAILURE, "Salesforce password reset failure", body, now)


def letter_by_hand(user: User, now: datetime, *, sender: str, subject: str, body: str) -> Letter:
    """Write a mail of a test's own, such as a forged one."""
    return replace(_letter(user, BY_HAND, subject, body, now, sender=sender), sender_name="")


def _letter(user: User, kind: str, subject: str, body: str, now: datetime, *, sender: str = NEW_SENDER) -> Letter:
    settings = user.settings
    return Letter(kind, user.username, settings.email, sender, subject, body, now, lang=settings.language)


def _marked_up(line: str) -> str:
    label, colon, value = line.partition(": ")
    if not colon or " " in value.strip():
        return html.escape(line)
    return f"{html.escape(label)}:</td><td><b>{html.escape(value)}</b>"
