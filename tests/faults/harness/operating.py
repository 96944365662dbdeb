"""An operator who does what the status says, word by word, and what only a person can do in Salesforce."""

import shlex
import threading
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, Final

from faults.harness.stage import LOOK_SECONDS, Role, Stage, password

from vault_salesforce.dev.waiting import until

MOST_STEPS: Final = 8
REST_SECONDS: Final = 60.0
AGAIN_SECONDS: Final = 12.0
PLACE_SECONDS: Final = 8.0  # one caller gets some places, and asks again for more
MAIL_SECONDS: Final = 30.0
PASSWORD, TOKEN = "resync", "security-token"
_WELL: Final = ("ok",)
_TOKEN_LENGTHS: Final = (24, 25)


class Operator:
    """Follows next steps.

    Args:
        stage: Where.
        told: Called with each rotation id that an answer told for a role.
    """

    def __init__(self, stage: Stage, told: Callable[[Role, str], None]) -> None:
        self._stage, self._told = stage, told
        self._never = threading.Event()

    def status(self, role: Role) -> dict[str, Any]:
        """The role's status, asked again while nobody answers."""
        return dict(until(lambda: self._status(role), f"the status of {role.name}", REST_SECONDS, LOOK_SECONDS))

    def rests(self, role: Role) -> dict[str, Any]:
        """The role's status once it is not rotating. Raises: TimeoutError."""

        def look() -> dict[str, Any] | None:
            status = self.status(role)
            return None if status["state"] == "rotating" else status

        return dict(until(look, f"rest of {role.name}", REST_SECONDS, LOOK_SECONDS))

    def mend(self, role: Role) -> tuple[int, str]:
        """Follow next steps until the role is well; who did something in Salesforce says so first.

        Returns: How many steps it took, and "" or why it did not become well.
        """
        followed: list[str] = []
        while (status := self.rests(role))["state"] not in _WELL:
            step = str(status["next_step"])
            if not step or len(followed) >= MOST_STEPS:
                return len(
                    followed
                ), f"{status['state']} ({status['reason']}), after {' | '.join(followed) or 'nothing'}"
            if followed and followed[-1].endswith(step):
                self._never.wait(AGAIN_SECONDS)  # what was lost a moment ago is not tried again at once
            if role.told_nobody and status["state"] != "held" and "/unlock/" not in step:
                what = role.told_nobody.pop(0)
                answered = self._hand_in(role, what)
                # What logs in no more was replaced by the engine's own change; what is refused otherwise, as while a
                # mail is tried, is handed in again.
                if answered != HTTPStatus.FAILED_DEPENDENCY:
                    role.told_nobody.append(what)
                step = f"{what} by who knows ({answered})"
            else:
                self._follow(role, step)
            followed.append(f"{status['state']}: {step}")
        role.told_nobody.clear()
        return len(followed), ""

    def rotate(self, role: Role, **fields: Any) -> Any:
        """Ask for a rotation, and remember what was acknowledged."""
        end = time.monotonic() + PLACE_SECONDS
        while True:
            answer = self._stage.vault.send("POST", f"v1/sf/rotate/{role.name}", fields)
            if answer.status != HTTPStatus.TOO_MANY_REQUESTS or time.monotonic() > end:
                break
            self._never.wait(0.2)  # nothing was begun
        if answer.status == 200 and answer.data.get("rotation_id"):
            self._told(role, str(answer.data["rotation_id"]))
        return answer

    def _status(self, role: Role) -> dict[str, Any] | None:
        try:
            answer = self._stage.vault.send("GET", f"v1/sf/status/{role.name}")
        except OSError:
            return None
        return dict(answer.data) if answer.status == 200 else None

    def _follow(self, role: Role, step: str) -> None:
        stage = self._stage
        # What a person sees to in Salesforce first: no stale consumer goes on, and nobody is locked.
        stage.org.ask("PATCH", f"users/{role.username}", {"locked": False, "stale_consumer": None})
        if not step.startswith("vault "):
            self._reset_token(role)
            return
        _, verb, *arguments = shlex.split(step)
        path, *pairs = [argument for argument in arguments if argument != "-f"]
        if verb == "delete":
            stage.vault.send("DELETE", f"v1/{path}")
            return
        if verb == "read":
            return
        fields = dict(pair.partition("=")[::2] for pair in pairs)
        if path.startswith("sf/security-token/"):
            self._reset_token(role)
            return
        if path.startswith("sf/rotate/"):
            self.rotate(role, **fields)
        elif fields.get("password") == "-":
            # Nobody knows it: the user gets a new one in Salesforce, as the reason says.
            role.known_password = password()
            stage.org.ask("PATCH", f"users/{role.username}", {"password": role.known_password})
            self._hand_in(role, PASSWORD)
        else:
            stage.vault.send("POST", f"v1/{path}", fields)

    def _hand_in(self, role: Role, what: str) -> int:
        """Who set the password or reset the token in Salesforce hands it in; the status of the answer."""
        stage = self._stage
        stage.org.ask("PATCH", f"users/{role.username}", {"locked": False, "stale_consumer": None})
        token = {"security_token": self._newest_token(role)} if role.kind == "token" else {}
        if what == TOKEN:
            return stage.vault.send("POST", f"v1/sf/security-token/{role.name}", token).status
        published = stage.vault.ask("GET", f"v1/salesforce/data/creds/{role.name}").data["data"]["password"]
        sent = {"password": role.known_password or published} | token
        return stage.vault.send("POST", f"v1/sf/resync/{role.name}", sent).status

    def _reset_token(self, role: Role) -> None:
        """The user presses Reset My Security Token, and the mail is taken."""
        if role.kind != "token":
            return
        self._stage.org.ask("POST", f"users/{role.username}/reset-security-token")
        try:
            until(
                lambda: self.status(role)["state"] not in ("awaiting", "rotating"),
                "the mail",
                MAIL_SECONDS,
                LOOK_SECONDS,
            )
        except TimeoutError:
            return

    def _newest_token(self, role: Role) -> str:
        """The token in the user's last mail, as a person reads it."""
        letters = self._stage.org.ask("GET", f"mailbox/{role.username}").data
        words = letters[-1]["body"].split() if letters else ()
        return next((word for word in words if len(word) in _TOKEN_LENGTHS and word.isalnum()), "")
