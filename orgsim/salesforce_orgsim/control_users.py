"""The users, as the control port shows and changes them."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response, request

from . import changes
from .changes import PasswordChange, Route
from .clock import stamp
from .control_json import ControlError, read_body, read_object, to_json
from .exchange import World
from .mail import letter_by_hand
from .reading import as_json, change, snake_case
from .settings import read_user
from .stale import StaleConsumers, read_plan
from .user import User

# Shown from the living user instead, never shown, or fixed for life.
_NOT_SHOWN = ("password", "security_token", "temporary_password", "password_age_days")
_MAIL = {"from": "noreply@salesforce.com", "subject": "Your new Salesforce security token", "body": ""}
_FIXED = {"username", "security_token", "password_age_days"}


@dataclass(frozen=True)
class Standing:
    """What a test may do to a living user, besides changing its settings; null leaves a thing alone.

    Attributes:
        locked: Lock as failures would, or unlock.
        failed_count: Failed logins in a row.
        expired: The password must be changed, as after an administrator's "expire all passwords".
        temporary_password: The same, as after a reset.
        password: The user changes the password in the browser.
    """

    locked: bool | None = None
    failed_count: int | None = None
    expired: bool | None = None
    temporary_password: bool | None = None
    password: str | None = field(default=None, repr=False)


def add_to(app: Flask, world: World, stale: StaleConsumers) -> None:
    """Add the users' addresses to the control port.

    Args:
        app: The application.
        world: The org and everything around it.
        stale: The org's stale consumers.
    """
    org = world.org

    @app.get("/users")
    def users() -> Response:
        with org.lock:
            return to_json([_show(world, stale, user) for user in org.users.values()])

    @app.route("/users", methods=["POST", "PUT"])
    def add() -> Response:
        document = read_body(request)
        wanted = [read_user(entry) for entry in (document if isinstance(document, list) else [document])]
        names = Counter(settings.username.lower() for settings in wanted)
        with org.lock:
            taken = [name for name, times in names.items() if org.user(name) or times > 1]
            if taken:
                raise ControlError(409, f"There is a user {taken[0]} already.")
            made = [_show(world, stale, org.add_user(settings)) for settings in wanted]
        return to_json(made if isinstance(document, list) else made[0], 201)

    @app.get("/users/<username>")
    def user(username: str) -> Response:
        return to_json(_show(world, stale, _find(world, username)))

    @app.patch("/users/<username>")
    def patch(username: str) -> Response:
        found = _find(world, username)
        _patch(world, stale, found, read_object(request))
        return to_json(_show(world, stale, found))

    _add_deeds(app, world, stale)
    _add_mailboxes(app, world)


def _add_deeds(app: Flask, world: World, stale: StaleConsumers) -> None:
    @app.post("/users/<username>/reset-security-token")
    def reset_token(username: str) -> Response:
        found = _find(world, username)
        login_as = read_object(request).get("login_as", False)
        if found.settings.login_ranges or found.settings.mfa_api:
            raise ControlError(409, f"{found.username} has no page for resetting the token: login_ranges or mfa_api.")
        if found.settings.api_only and not login_as:
            raise ControlError(409, f"{found.username} is API-only and cannot open the page; send login_as: true.")
        world.post.post(changes.reset_token(world.org, found), "resetSecurityToken")
        return to_json(_show(world, stale, found))

    @app.post("/users/<username>/rename")
    def rename(username: str) -> Response:
        found, name = _find(world, username), read_object(request).get("username")
        if not isinstance(name, str) or "@" not in name:
            raise ControlError(400, "username must be the new login name.")
        world.org.rename(found, name)
        return to_json(_show(world, stale, found))

    @app.post("/users/<username>/end-sessions")
    def end_sessions(username: str) -> Response:
        found = _find(world, username)
        world.org.end_sessions_of(found)
        return to_json(_show(world, stale, found))

    @app.post("/users/<username>/check")
    def check(username: str) -> Response:
        return to_json(_compare(world, _find(world, username), read_object(request)))

    @app.post("/users/<username>/confirm-device")
    def confirm(username: str) -> Response:
        found, document = _find(world, username), read_object(request)
        source = document.get("source", "127.0.0.1")
        if not isinstance(source, str):
            raise ControlError(400, "source must be an address.")
        with world.org.lock:
            world.org.device(found, source).confirmed = True
        return to_json(_show(world, stale, found))


def _add_mailboxes(app: Flask, world: World) -> None:
    @app.post("/mailbox/<username>")
    def put_mail(username: str) -> Response:
        found, document = _find(world, username), read_object(request)
        sender, subject, body = (document.get(name, default) for name, default in _MAIL.items())
        if not all(isinstance(one, str) for one in (sender, subject, body)):
            raise ControlError(400, "from, subject and body must be text.")
        letter = letter_by_hand(found, world.org.clock.now(), sender=sender, subject=subject, body=body)
        world.post.post(letter, "mail")
        return to_json(world.post.letters(found.username), 201)

    @app.get("/mailbox/<username>")
    def mails(username: str) -> Response:
        return to_json(world.post.letters(_find(world, username).username))


def _compare(world: World, user: User, document: dict[str, Any]) -> dict[str, bool]:
    password, token = document.get("password"), document.get("security_token") or ""
    if not isinstance(password, str | None) or not isinstance(token, str):
        raise ControlError(400, "password and security_token must be text.")
    with world.org.lock:
        sent = () if password is None else (password, password + token)
        return {
            "password": password == user.password,
            "security_token": (token or None) == user.security_token,
            "proven": any(user.has_proven(secret) for secret in sent),
        }


def _find(world: World, username: str) -> User:
    user = world.org.user(username)
    if user is None:
        raise ControlError(404, f"There is no user {username}.")
    return user


def _show(world: World, stale: StaleConsumers, user: User) -> dict[str, Any]:
    org = world.org
    with org.lock:
        now, policy = org.clock.now(), org.policy(user)
        return {
            "id": user.id,
            **as_json(user.settings, leave_out=_NOT_SHOWN),
            **as_json(user.counters),
            "logins_by_client": {source: as_json(count) for source, count in user.clients.items()},
            "locked": user.locked(now),
            "failed_count": user.failed_count,
            "expired": user.password_expired(policy, now),
            "temporary_password": user.temporary_password,
            "last_password_change": stamp(user.last_password_change),
            "last_login": stamp(user.last_login) if user.last_login else None,
            "has_security_token": user.security_token is not None,
            "stale_consumer": stale.describe(user),
        }


def _patch(world: World, stale: StaleConsumers, user: User, document: dict[str, Any]) -> None:
    given = {snake_case(name): value for name, value in document.items()}
    turns_stale = "stale_consumer" in given
    consumer = given.pop("stale_consumer", None)
    plan = read_plan(consumer) if consumer is not None else None
    names = {spec.name for spec in dataclasses.fields(Standing)}
    standing = change(Standing(), {name: given.pop(name) for name in names & given.keys()}, "user")
    if fixed := sorted(_FIXED & given.keys()):
        raise ControlError(400, f"{fixed[0]} cannot be changed here.")
    with world.org.lock:
        user.settings = change(user.settings, given, "user")
        _stand(world, user, standing)
    if turns_stale:
        stale.set(user, plan)
    if standing.password is not None:
        by_hand = PasswordChange(Route.UI, user, user, new=standing.password)
        for letter in changes.replace_password(world.org, by_hand).letters:
            world.post.post(letter, "changeInBrowser")


def _stand(world: World, user: User, standing: Standing) -> None:
    if standing.locked is not None:
        user.unlock()
        if standing.locked:
            user.lock(world.org.policy(user), world.org.clock.now())
    if standing.failed_count is not None:
        user.failed_count = standing.failed_count
    if standing.expired is not None:
        user.expired_by_administrator = standing.expired
    if standing.temporary_password is not None:
        user.temporary_password = standing.temporary_password
