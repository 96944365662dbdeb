"""Looks at the org, at KV, at the plugin and at the engine, and puts together what was seen of each role."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from faults.harness.checks import Seen
from faults.harness.stage import LOOK_SECONDS, Role, Stage

from vault_salesforce.dev.waiting import until

REST_SECONDS: Final = 150.0
MOST_LOOKS: Final = 5
SOON_SECONDS: Final = 75.0  # chores that could not be done are left alone for up to a minute
AFTER_A_RESTORE_SECONDS: Final = 10.0  # most is owed by a person
WAITING_FOR_PEOPLE: Final = ("stuck", "awaiting_token")
BUSY: Final = ("rotating",)


@dataclass
class Noted:
    """What is to be remembered of one role during a round.

    Attributes:
        before: What the org had counted.
        version: KV's version before.
        acknowledged: Rotation ids that answers told.
        done: KV versions that answers promised.
        refused: Statuses and codes of 5xx and 429 in our own words.
        answered: Some request got another answer, or none.
        goes: How often somebody began or began anew.
        accidents: How much happens to it, and to everything.
        human: Somebody changed the password in Salesforce.
        ends: A lease ended, which must rotate.
        restored: Vault went back in time.
    """

    before: Mapping[str, int]
    version: int
    acknowledged: list[str] = field(default_factory=list)
    done: list[int] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answered: bool = False
    goes: int = 0
    accidents: int = 0
    human: bool = False
    ends: bool = False
    restored: bool = False


class Observer:
    """Reads, past our lines; the org is asked without a login.

    Args:
        stage: Where.
    """

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    def counted(self) -> dict[str, dict[str, int]]:
        """What the org counted of each user, by role; the administrator among them."""
        users = self._stage.org.ask("GET", "users").body["data"]
        return {str(user["username"]).partition("@")[0]: user for user in users}

    def states(self) -> dict[str, dict[str, Any]]:
        """State, version and reason of each role; nothing while nobody answers."""
        try:
            answer = self._stage.vault.send("LIST", "v1/sf/status")
        except OSError:
            return {}
        return dict(answer.data.get("key_info") or {}) if answer.status == HTTPStatus.OK else {}

    def wait_for_rest(self, noted: Mapping[str, Noted]) -> list[str]:
        """Wait until no role rotates, and each whose last lease ended was rotated or says why not.

        Returns: The roles that did not come to rest.
        """
        left: list[str] = list(noted)

        def all_rest() -> bool:
            states = self.states()
            left[:] = [name for name in noted if not _rests(states.get(name), noted[name])]
            return not left

        try:
            until(all_rest, "rest", REST_SECONDS, LOOK_SECONDS)
        except TimeoutError:
            return left
        return []

    def see(self, role: Role, noted: Noted, counted: Mapping[str, int], copies: int) -> Seen:
        """Everything about one role, at one moment of rest; waits for what is owed to the history and to the plugin."""
        if not noted.human:
            self.until_live(role)
        for _ in range(MOST_LOOKS):
            before = self._rests(role)
            seen = self._look(role, noted, counted, copies)
            # A queued rotation may have begun meanwhile, or a mail may have come.
            if before == self._status(role):
                break
        return seen

    def _look(self, role: Role, noted: Noted, counted: Mapping[str, int], copies: int) -> Seen:
        held = self._kv(role)
        role.unproven |= set(self._unproven(role, int(held.get("version") or 0)))
        password, token = self._is_live(role, held)
        served, history = self._until_told(role, held, noted)
        status = self._status(role)
        return Seen(
            state=str(status["state"]),
            next_step=str(status["next_step"]),
            live_password=password,
            live_token=token,
            kept_live=not (password and token) and self._kept_live(role),
            unproven=sorted(role.unproven),
            before=noted.before,
            after=counted,
            copies=copies,
            goes=noted.goes,
            accidents=noted.accidents,
            acknowledged=noted.acknowledged,
            done=noted.done,
            history=history,
            kv=held,
            served=served,
            refused=() if noted.answered or noted.ends else tuple(noted.refused),
            human=noted.human,
            restored=noted.restored,
        )

    def _rests(self, role: Role) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            status = self._status(role)
            return None if status["state"] in BUSY else status

        return dict(until(look, f"rest of {role.name}", REST_SECONDS, LOOK_SECONDS))

    def until_live(self, role: Role) -> bool:
        """Whether KV comes to hold what the org holds: a mail becomes a version by itself, as does a next rotation."""

        def look() -> bool:
            return self.is_live(role) or self._status(role)["state"] not in ("ok", *BUSY)

        with contextlib.suppress(TimeoutError):  # the checks say what is missing
            until(look, f"what is live of {role.name}", SOON_SECONDS, LOOK_SECONDS)
        return self.is_live(role)

    def is_live(self, role: Role) -> bool:
        """Whether KV holds what the org holds."""
        return all(self._is_live(role, self._kv(role)))

    def _status(self, role: Role) -> dict[str, Any]:
        """The role's status, asked again where no place is free. Raises: TimeoutError."""

        def look() -> dict[str, Any] | None:
            answer = self._stage.vault.send("GET", f"v1/sf/status/{role.name}")
            return dict(answer.data) if answer.status == HTTPStatus.OK else None

        return dict(until(look, f"the status of {role.name}", REST_SECONDS, LOOK_SECONDS))

    def _kv(self, role: Role, version: int = 0) -> dict[str, Any]:
        """A version of the credential, the newest with 0; `version` is KV's own number."""
        query = f"?version={version}" if version else ""
        found = self._stage.vault.ask("GET", f"v1/salesforce/data/creds/{role.name}{query}").data
        return dict(found["data"]) | {"version": int(found["metadata"]["version"])}

    def _unproven(self, role: Role, newest: int) -> list[int]:
        found = []
        for version in range(role.checked_version + 1, newest + 1):
            held = self._kv(role, version)
            if not self._check(role, str(held["password"]), str(held["security_token"]))["proven"]:
                found.append(version)
        role.checked_version = newest
        return found

    def _is_live(self, role: Role, held: Mapping[str, Any]) -> tuple[bool, bool]:
        """Password and token; whose address is trusted needs none."""
        seen = self._check(role, str(held["password"]), str(held["security_token"]))
        return bool(seen["password"]), bool(seen["security_token"] or role.kind != "token")

    def _kept_live(self, role: Role) -> bool:
        entry = self._entry(role)
        named = [entry.get(f"{which}_password") for which in ("candidate", "current", "given")]
        kept = [one["password"] for one in entry.get("kept") or ()]
        return any(self._check(role, str(each), "")["password"] for each in (*named, *kept) if each)

    def _queued(self, role: Role) -> str:
        """The rotation that waits until somebody has mended the role."""
        entry = self._entry(role)
        return str(entry.get("queued") or "") if entry["state"] in WAITING_FOR_PEOPLE else ""

    def _entry(self, role: Role) -> dict[str, Any]:
        name = role.username.replace("@", "%2540")
        return dict(self._stage.vault.ask("GET", f"v1/salesforce-engine/data/journal/{name}").data["data"])

    def _check(self, role: Role, password: str, token: str) -> Mapping[str, Any]:
        sent = {"password": password, "security_token": token}
        return self._stage.org.ask("POST", f"users/{role.username}/check", sent).body

    def _until_told(self, role: Role, held: Mapping[str, Any], noted: Noted) -> tuple[dict[str, Any], list[str]]:
        """What the plugin serves and what the history tells, once both are as they should be, or time is over."""
        served: dict[str, Any] = {}
        history: list[str] = []
        owed = () if noted.restored else noted.acknowledged

        def told() -> bool:
            nonlocal served, history
            try:
                served = dict(self._stage.vault.send("GET", f"v1/sf/static-creds/{role.name}").data)
                if owed:
                    rows = self._stage.vault.send("GET", f"v1/sf/history/{role.name}").data.get("rotations") or ()
                    history = [str(row["rotation_id"]) for row in rows]
            except OSError:
                return False
            if (missing := set(owed) - set(history)) and (queued := self._queued(role)) in missing:
                role.queued = queued  # it is to be in the history of the next round
                history.append(queued)
            return served.get("version") == held["version"] and set(owed) <= set(history)

        with contextlib.suppress(TimeoutError):  # the checks say what is missing
            seconds = AFTER_A_RESTORE_SECONDS if noted.restored else SOON_SECONDS
            until(told, f"what is owed of {role.name}", seconds, LOOK_SECONDS)
        return served, history


def _rests(status: Mapping[str, Any] | None, noted: Noted) -> bool:
    if status is None or status.get("state") in BUSY:
        return False
    return not (noted.ends and status.get("state") == "ok" and int(status.get("version") or 0) <= noted.version)
