"""One request on the vendor's port, from arrival to answer: where the knobs of misbehaviour bite."""

import http.client
import json
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from flask import Response

from . import changes
from .changes import Changed, PasswordChange
from .faults import UNAVAILABLE_PAGE, FaultError, MessageError
from .in_progress import InProgress
from .knobs import SPOILERS
from .later import Later
from .mail import Letter, reset_failure_letter
from .misbehave import Misbehave, Setting
from .org import Org
from .post_office import PostOffice
from .request_log import NO_ANSWER, SUCCESS, Entry, RequestLog
from .spoil import spoil
from .stopping import Stopping

HOOK_SECONDS = 5.0
HOLD_SECONDS = 60.0

_OPEN_TO_ALL = {"versions", "unknown"}
_NOT_LIMITED = {"login", "token"}
_CONCURRENT = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."


class NoAnswerError(ConnectionAbortedError):
    """The request is not to be answered; the server drops a connection on which this is raised."""


class _UnavailableError(Exception):
    """The request is to be answered with status 503 and a page of HTML."""


@dataclass(frozen=True)
class World:
    """What every request needs: the org, and everything around it."""

    org: Org
    misbehave: Misbehave
    post: PostOffice
    log: RequestLog
    later: Later
    stopping: Stopping
    in_progress: InProgress


@dataclass(frozen=True)
class Arrival:
    """A request as the server saw it: how it came, from where, and the connection when there is one."""

    channel: str
    method: str
    path: str
    source: str
    host: str
    connection: socket.socket | None
    client_certificate: bool = False


class _SpoiledError(Exception):
    """The request is to be answered with nothing but a spoiled answer."""

    def __init__(self, knob: str, setting: Setting) -> None:
        self.knob = knob
        self.setting = setting


class Exchange:
    """One request and its answer, while the answer is made."""

    def __init__(self, world: World, arrival: Arrival, entry: Entry) -> None:
        self._world = world
        self._entry = entry
        self._after_answer: list[Callable[[], None]] = []
        self.org = world.org
        self.arrival = arrival

    def arrive(self) -> None:
        """Let the knobs bite that come before anything is looked at.

        Raises:
            FaultError: The request is refused.
            NoAnswerError: It is not to be answered.
        """
        if latency := self.take("latency_seconds"):
            self._world.stopping.wait(latency.number("seconds"))
        if self.take("html_503") or self.org.settings.maintenance:
            raise _UnavailableError
        if silent := self.take("silent"):
            self._go_silent(silent.number("seconds"))
        if refusal := self.take("refuse_before"):
            raise FaultError(refusal.text("code"), refusal.parameters["message"])
        if self.take("close_connection", when="before"):
            self._go_silent(0.0)
        for knob in SPOILERS:
            if setting := self.take(knob, when="before"):
                raise _SpoiledError(knob, setting)
        self._enter_org()

    def spoil(self, response: Response) -> Response:
        """Let the knobs bite that spoil the answer."""
        for knob in SPOILERS:
            if setting := self.take(knob, when="after"):
                return spoil(response, knob, setting, self._world.stopping)
        return response

    def change_password(self, change: PasswordChange) -> Changed:
        """Make a password change, with all that can go wrong about it.

        Raises:
            FaultError: The change is refused, or made and answered with an error.
            NoAnswerError: The client is not to be told.
        """
        try:
            changes.check(self.org, change)
        except FaultError as fault:
            self._note(applied=False)
            if changes.is_too_soon(change, fault):
                self._post(reset_failure_letter(change.subject, self.org.clock.now()))
            raise
        self._call_hook("hook_url")
        if late := self.take("change_late_seconds"):
            self._world.later.run_after(late.number("seconds"), lambda: self._apply_late(change))
            self._go_silent(HOLD_SECONDS if late.text("then") == "hold" else 0.0)
        changed = self._apply(change)
        self._call_hook("hook_after_url")
        if silence := self.take("change_and_never_answer"):
            self._go_silent(silence.number("seconds"))
        if self.take("change_then_500"):
            raise FaultError("UNKNOWN_EXCEPTION")
        return changed

    def leave(self, outcome: str) -> None:
        """Write down how the request ended, unless the answer is to be lost.

        Raises:
            NoAnswerError: It is not to be answered.
        """
        if self.take("close_connection", when="after"):
            self._go_silent(0.0)
        self._note(outcome=outcome)

    def finish(self) -> None:
        """Do what waits for the client to have its answer."""
        for action in self._after_answer:
            action()

    def take(self, knob: str, **parameters: str) -> Setting | None:
        """Say whether a knob bites this request."""
        return self._world.misbehave.take(knob, self._entry.operation, self._entry.username, **parameters)

    def _apply(self, change: PasswordChange) -> Changed:
        try:
            changed = changes.apply(self.org, change)
        except FaultError:
            self._note(applied=False)
            raise
        self._note(applied=True)
        for letter in changed.letters:
            self._post(letter)
        return changed

    def _post(self, letter: Letter) -> None:
        self._world.post.post(letter, self._entry.operation, self._after_answer.append)

    def _enter_org(self) -> None:
        """Refuse what the state of the org as a whole forbids."""
        settings, operation = self.org.settings, self._entry.operation
        if settings.mutual_authentication and not self.arrival.client_certificate:
            raise FaultError("MUTUAL_AUTHENTICATION_FAILED")
        if operation in _OPEN_TO_ALL:
            return
        closed = {
            "ORG_NOT_OWNED_BY_INSTANCE": settings.moved,
            "ORG_LOCKED": settings.org_locked,
            "TRIAL_EXPIRED": settings.trial_expired,
        }
        if code := next((code for code, applies in closed.items() if applies), None):
            raise FaultError(code)
        slow = self._world.in_progress.longer_than(settings.concurrent_limit_after)
        if operation not in _NOT_LIMITED and slow >= settings.concurrent_limit:
            raise FaultError("REQUEST_LIMIT_EXCEEDED", _CONCURRENT)

    def _apply_late(self, change: PasswordChange) -> None:
        try:
            self._apply(change)
        except FaultError as fault:
            self._note(note=f"late, and refused: {fault.code}")
        else:
            self._note(note="applied late")
            self.finish()

    def _go_silent(self, seconds: float) -> None:
        self._note(outcome=NO_ANSWER)
        connection = self.arrival.connection
        if connection is None:
            self._world.stopping.wait(seconds)
        else:
            self._world.stopping.wait_for_client_to_leave(connection, seconds)
            # The client may have gone already, and then there is nothing left to shut.
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        raise NoAnswerError

    def _call_hook(self, knob: str) -> None:
        hook = self.take(knob)
        if hook is None:
            return
        address = urlsplit(hook.text("url"))
        facts = {"operation": self._entry.operation, "username": self._entry.username, "n": self._entry.n}
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=HOOK_SECONDS)
        try:
            headers = {"Content-Type": "application/json"}
            path = address.path + (f"?{address.query}" if address.query else "")
            connection.request("POST", path or "/", json.dumps(facts), headers)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            self._note(note=f"{knob}: {type(error).__name__}")
        finally:
            connection.close()

    def _note(self, **changed: object) -> None:
        self._world.log.update(self._entry, **changed)


def handle(
    world: World,
    arrival: Arrival,
    *,
    operation: str,
    username: str,
    work: Callable[[Exchange], Response],
    refuse: Callable[[FaultError | MessageError], Response],
) -> Response:
    """Answer one request.

    Args:
        world: The org and everything around it.
        arrival: How the request came.
        operation: What it does, by the SOAP name where there is one.
        username: The user it is about, or an empty text.
        work: Does it and makes the answer.
        refuse: Makes the answer to a request that is refused.

    Raises:
        NoAnswerError: The request is not to be answered.
    """
    entry = world.log.add(
        time=world.org.clock.now().isoformat(timespec="milliseconds"),
        channel=arrival.channel,
        operation=operation,
        username=username,
        source=arrival.source,
        method=arrival.method,
        path=arrival.path,
    )
    exchange = Exchange(world, arrival, entry)
    outcome = SUCCESS
    try:
        try:
            with world.in_progress.one():
                exchange.arrive()
                response = work(exchange)
        except (FaultError, MessageError) as error:
            response, outcome = refuse(error), error.code
        except _UnavailableError:
            response, outcome = Response(UNAVAILABLE_PAGE, 503, mimetype="text/html"), "SERVER_UNAVAILABLE"
        except _SpoiledError as spoiled:
            response = spoil(Response(""), spoiled.knob, spoiled.setting, world.stopping)
            outcome = spoiled.knob
        exchange.leave(outcome)
        response = exchange.spoil(response)
    except NoAnswerError:
        exchange.finish()
        raise
    response.call_on_close(exchange.finish)
    return response
