"""What is seen of a role after a trial, and the promises that are these trials' own."""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from faults.harness.checks import OTHER, Broken, Seen
from product import Account, Product

from vault_salesforce.dev.waiting import until

if TYPE_CHECKING:
    from concurrent.futures import Future

    from vault_salesforce.dev.rest import Answer

_CHORE_SECONDS: Final = 75.0  # chores that could not be done are left alone for up to a minute


@dataclass(frozen=True)
class Begun:
    """A role's rotation, asked for in a trial.

    Attributes:
        account: Of the role.
        before: What the org had counted of the user.
        version: KV's version before.
        asked: The answer to come, or the connection's end.
    """

    account: Account
    before: dict[str, int]
    version: int
    asked: "Future[Answer]"


def see(product: Product, one: Begun, answer: "Answer | str") -> Seen:
    """Everything about one role, at rest; waits for what is owed to the history and to the plugin."""
    account = one.account
    status, held = product.status(account), product.kv(account)
    live = _checked(product, account, held)
    data, body, code = ({}, {}, 0) if isinstance(answer, str) else (answer.data, answer.body, answer.status)
    acknowledged = [data["rotation_id"]] if data.get("rotation_id") else []
    _wait_for(lambda: product.static_creds(account)["password"] == held["password"])
    _wait_for(lambda: set(acknowledged) <= _history(product, account))
    return Seen(
        state=status["state"],
        next_step=status["next_step"],
        live_password=live["password"],
        live_token=live["security_token"],
        kept_live=False,
        unproven=[number for number in _news(one, held) if not _proven(product, account, number)],
        before=one.before,
        after=product.counted(account),
        copies=0,
        goes=1,
        accidents=1,
        acknowledged=acknowledged,
        done=[int(data["version"])] if data.get("done") else [],
        history=sorted(_history(product, account)),
        kv=held,
        served=product.static_creds(account),
        refused=[f"{code} {body['code']}"] if body.get("code") and code >= HTTPStatus.TOO_MANY_REQUESTS else [],
        human=False,
        restored=False,
    )


def more_broken(seen: Seen, one: Begun) -> Iterator[Broken]:
    """What nobody but the nodes disturbs ends well, by one change at the most."""
    changes, news = changes_of(seen), len(_news(one, seen.kv))
    if seen.state != "ok":
        yield Broken(OTHER, "a role that is ok", f"{seen.state}; {seen.next_step}")
    if changes > 1 or news != changes:
        yield Broken(OTHER, "one change at the most, and a version of it", f"{changes} changes, and {news} versions")
    if seen.acknowledged and changes != 1:
        yield Broken(OTHER, "one change of a rotation that was acknowledged", f"{changes}")


def changes_of(seen: Seen) -> int:
    """How many passwords were changed."""
    return seen.after["password_changes"] - seen.before["password_changes"]


def _news(one: Begun, held: Mapping[str, Any]) -> range:
    """The versions since."""
    return range(one.version + 1, int(held["version"]) + 1)


def _checked(product: Product, account: Account, credential: Mapping[str, Any]) -> Mapping[str, bool]:
    """What of a credential is the org's, and whether it ever logged in."""
    sent = {name: credential[name] for name in ("password", "security_token")}
    return product.org.ask("POST", f"users/{account.username}/check", sent).body


def _proven(product: Product, account: Account, version: int) -> bool:
    data = product.vault.ask("GET", f"v1/salesforce/data/creds/{account.role}?version={version}").data["data"]
    return bool(_checked(product, account, data)["proven"])


def _history(product: Product, account: Account) -> set[str]:
    rotations = product.vault.ask("GET", f"v1/sf/history/{account.role}").data["rotations"]
    return {str(one.get("rotation_id")) for one in rotations}


def _wait_for(chore: Callable[[], bool]) -> None:
    with contextlib.suppress(TimeoutError):  # the checks say what is missing
        until(chore, "a chore", _CHORE_SECONDS)
