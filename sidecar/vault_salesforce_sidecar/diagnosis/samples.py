"""Would Salesforce take the passwords that a role's policy makes? One is made, looked at, and forgotten."""

import string

from vault_plugin_sdk.logical.errors import EngineError
from vault_salesforce_contract.api.static_roles import StaticRole
from vault_salesforce_sidecar.rotation.parts import Parts
from vault_salesforce_sidecar.rotation.passwords import new_password
from vault_salesforce_sidecar.store import KvUnavailable

LONGEST_LEAST = 15  # the greatest minimum length that Salesforce's Setup offers
# Source: the special characters that every password policy of Salesforce counts.
_SPECIALS = "!#$%-_=+<>"
_KINDS = {
    "an upper-case letter": string.ascii_uppercase,
    "a lower-case letter": string.ascii_lowercase,
    "a digit": string.digits,
    f"one of {_SPECIALS}": _SPECIALS,
}


def sample_fault(parts: Parts, role: StaticRole) -> str:
    """What the strictest org would find wrong with a password of this role; empty: nothing."""
    try:
        sample = (
            parts.password_from_policy(role.password_policy) if role.password_policy else new_password(role.username)
        )
    except (KvUnavailable, EngineError) as exc:
        return f"Vault made none of the policy {role.password_policy!r}: {exc}"
    text = sample.reveal()
    wrong = [f"lacks {kind}" for kind, letters in _KINDS.items() if not any(one in letters for one in text)]
    if len(text) < LONGEST_LEAST:
        wrong.append(f"has {len(text)} characters of the {LONGEST_LEAST} that an org may ask for")
    if not text.isascii() or not text.isprintable():
        wrong.append("holds characters that not every consumer can send")
    name = role.username.partition("@")[0].lower()
    if len(name) >= len("abc") and name in text.lower():
        wrong.append("holds the user name")
    return ", ".join(wrong)
