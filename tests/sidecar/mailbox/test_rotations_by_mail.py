"""Whole rotations whose tokens come through a real mail server, as the simulated org writes its mails."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from dovecot import config_of
from fakes import CALLER, CRM
from stage import Stage
from waiting import until

from salesforce_orgsim.mail import token_letter
from vault_plugin_sdk.framework.fields import from_stored, to_stored
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.rotation.handed_in import HandedIn

LANGUAGES = ("en_US", "de", "fr", "es", "ja")


class Post:
    """Delivers what the org mails, in another language each time."""

    def __init__(self, server, clock):
        self._server, self._clock = server, clock
        self.sent = 0
        self.held = None

    def bring(self, username, token):
        settings = SimpleNamespace(email="tokens@acme.example", language=LANGUAGES[self.sent % len(LANGUAGES)])
        parts = ("both", "plain", "html")[self.sent % 3]
        user = SimpleNamespace(username=username, settings=settings)
        letter = token_letter(user, token, self._clock.now(), parts=parts)
        self.sent += 1
        if self.held is None:
            self._server.deliver(letter.message())
        else:
            self.held.append(letter.message())


@pytest.fixture
def stage(inbox, opened):
    """A deployment whose connection has that server's mailbox."""
    made = Stage(token_from="mailbox", untrusted=True)
    config = config_of(inbox)
    made.config = from_stored(
        Config, to_stored(made.config) | {name: getattr(config, name) for name in ("mailbox", "ca_cert")}
    )
    made.connections.put("demo", replace(made.config, mailbox_password=config.mailbox_password), 1)
    made.mailbox = opened(config)
    made.post = Post(inbox, made.clock)
    made.org._mailbox = made.post
    return made


def tick(stage, rotations):
    rotations.tick()
    stage.clock.seconds += 1
    return stage.is_live


def test_a_user_is_rotated_again_and_again_and_no_mail_is_left(stage, inbox):
    rotations = stage.enrolled()
    for number in range(6):
        rotations.rotate("crm", CALLER, allow_security_token_wait=number == 0)
        until(lambda: tick(stage, rotations))
        assert rotations.status("crm").token_reason == "It came by mail, and a login proved it."
    assert (stage.published["version"], stage.person.fails) == (7, 0)
    until(lambda: len(inbox.maildir()) == 0)


def test_a_role_is_created_without_a_token_and_the_first_mail_brings_it(stage):
    rotations = stage.sidecar()
    HandedIn(rotations).enrol("crm", stage.role, SecretStr(stage.person.password), None, CALLER)
    stage.org.reset_token(CRM)
    until(lambda: stage.creds_kv.versions.get("creds/crm") or tick_only(stage, rotations))
    assert stage.is_live


def tick_only(stage, rotations):
    rotations.tick()
    stage.clock.seconds += 1


def test_a_server_that_goes_down_and_comes_back_ends_no_rotation(stage, inbox):
    rotations = stage.enrolled()
    stage.post.held = []
    rotations.rotate("crm", CALLER, allow_security_token_wait=True)
    inbox.stop()
    until(lambda: tick_only(stage, rotations) or "cannot be read now" in rotations.status("crm").reason)
    inbox.start()
    for message in stage.post.held:
        inbox.deliver(message)
    until(lambda: tick(stage, rotations))
    assert stage.person.fails == 0
