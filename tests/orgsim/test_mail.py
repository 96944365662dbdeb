"""What the letters say."""

import pytest

from salesforce_orgsim.mail import reset_failure_letter, reset_link_letter, token_letter

TOKEN = "T" * 24


@pytest.fixture
def letter(sim):
    """Write the token mail of a user whose settings are given."""

    def write(*, language="en_US", **how):
        sim.control("PATCH", f"/users/{sim.app}", {"language": language})
        return token_letter(sim.user(sim.app), TOKEN, sim.org.clock.now(), **how)

    return write


def test_the_old_wording_has_another_sender_and_subject(letter):
    old = letter(wording="old")
    assert (old.sender, old.subject) == ("support@salesforce.com", "salesforce.com security token confirmation")


@pytest.mark.parametrize(
    ("language", "subject", "label"),
    [
        ("en_US", "Your new Salesforce security token", "Security token (case-sensitive):"),
        ("de", "Ihr neues Salesforce-Sicherheitstoken", "Sicherheitstoken (Groß-/Kleinschreibung beachten):"),
        ("fr", "Votre nouveau jeton de sécurité Salesforce", "Jeton de sécurité (respecter la casse) :"),
        ("es", "Su nuevo token de seguridad de Salesforce", "Token de seguridad (distingue mayúsculas y minúsculas):"),
        ("ja", "新しい Salesforce セキュリティトークン", "セキュリティトークン (大文字と小文字を区別):"),
    ],
)
def test_a_token_mail_is_in_the_users_language(letter, sim, language, subject, label):
    message = letter(language=language).message()
    assert message["Subject"] == subject
    plain = message.get_body(("plain",)).get_content()
    assert f"\n{label} {TOKEN}\n" in plain
    assert f" {sim.app}\n" in plain
    assert f'lang="{language}"' in message.get_body(("html",)).get_content()


def test_a_branded_org_names_itself(letter):
    branded = letter(brand="Rocket CRM")
    assert branded.subject == "Your new Rocket CRM security token"
    assert branded.message()["From"] == "Rocket CRM <noreply@salesforce.com>"
    assert "Salesforce" not in branded.body


@pytest.mark.parametrize(("parts", "kinds"), [("plain", ["text/plain"]), ("html", ["text/html"]), ("both", None)])
def test_a_mail_has_the_parts_that_the_org_sends(letter, parts, kinds):
    message = letter(parts=parts).message()
    found = [part.get_content_type() for part in message.walk() if not part.is_multipart()]
    assert found == (kinds or ["text/plain", "text/html"])
    assert TOKEN in message.as_string()


def test_the_settings_of_the_org_decide_how_its_mail_looks(sim):
    sim.control("PATCH", "/org", {"mail_brand": "Rocket CRM", "mail_wording": "old", "mail_format": "html"})
    sim.control("POST", f"/users/{sim.app}/reset-security-token")
    (shown,) = sim.control("GET", f"/mailbox/{sim.app}")
    assert (shown["from"], shown["subject"]) == (
        "support@salesforce.com",
        "salesforce.com security token confirmation",
    )
    assert "Rocket CRM" in shown["body"]


def test_the_html_part_escapes_what_users_are_called(sim):
    sim.control("POST", "/users", {"username": "a&b@crm.example", "password": "Some-pass-1"}, status=201)
    letter = token_letter(sim.user("a&b@crm.example"), TOKEN, sim.org.clock.now())
    assert "<b>a&amp;b@crm.example</b>" in letter.message().get_body(("html",)).get_content()


def test_a_letters_body_is_not_in_its_representation(letter):
    assert TOKEN not in repr(letter())


def test_the_mails_about_resets_hold_nothing_like_a_token(sim):
    user, now = sim.user(sim.app), sim.org.clock.now()
    assert reset_link_letter(user, now).subject == "Your Salesforce password was reset"
    assert reset_failure_letter(user, now).subject.endswith("password reset failure")
