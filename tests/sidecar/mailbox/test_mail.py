"""The new security token in a mail, in any language, and nothing in any other mail."""

import itertools
import re
import time
from datetime import UTC, datetime
from email.message import EmailMessage
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salesforce_orgsim.mail import reset_link_letter, token_letter
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.mailbox.mail import LARGEST_MAIL, Mail, _without_addresses, read_given_mail, read_mail

NAME = "api.user@acme.example"
TOKEN = "aB3dEfGh1jKlMn0pQrStUv2x"
OTHER = "zY9xWvUt8sRqPo7nMlKj6hGf"


def mail(text=None, html=None, sender="Salesforce <noreply@salesforce.com>", subject="Your token"):
    message = EmailMessage()
    if sender:
        message["From"] = sender
    message["Subject"] = subject
    if text is not None:
        message.set_content(text)
    if html is not None:
        (message.add_alternative if text is not None else message.set_content)(html, subtype="html")
    return Mail("1", message.as_bytes())


def token_in(message, name):
    return read_mail(message, name).token


def found(message, name=NAME):
    token = token_in(message, name)
    return token.reveal() if token else None


TEXT = f"Username: {NAME}\nSecurity token (case-sensitive): {TOKEN}\nFor more information, see the help.\n"


LANGUAGES = ("en_US", "de", "fr", "es", "ja")


def a_user(language="en_US"):
    return SimpleNamespace(username=NAME, settings=SimpleNamespace(email=NAME, language=language))


@pytest.mark.parametrize("parts", ["both", "plain", "html"])
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("token", [TOKEN, "aBcDeFgHiJkLmNoPqRsTuVwXy", "A1b2C3d4E5f6G7h8I9j0" * 2])
def test_the_simulated_orgs_mail_brings_its_token(language, parts, token):
    letter = token_letter(a_user(language), token, datetime.now(UTC), parts=parts)
    assert found(Mail("1", letter.message().as_bytes())) == token


def test_an_old_wording_and_a_brand_change_nothing():
    for options in ({"wording": "old"}, {"brand": "Acme"}):
        letter = token_letter(a_user(), TOKEN, datetime.now(UTC), **options)
        assert found(Mail("1", letter.message().as_bytes())) == TOKEN


def test_a_mail_with_a_link_for_a_new_password_brings_none():
    assert found(Mail("1", reset_link_letter(a_user(), datetime.now(UTC)).message().as_bytes())) is None


@pytest.mark.parametrize(
    "judged", ["mx.acme.example; spf=pass; DMARC = Fail (p=reject)", "mx; dmarc=fail header.from=x"]
)
def test_what_the_receiving_server_says_is_forged_is_refused_and_says_why(judged):
    raw = f"Authentication-Results: {judged}\nAuthentication-Results: evil; dmarc=pass\n".encode() + mail(TEXT).raw
    reading = read_mail(Mail("1", raw), NAME)
    assert (reading.token, "dmarc=fail" in reading.refusal) == (None, True)


@pytest.mark.parametrize(
    "judged", ["mx.acme.example; dmarc=pass", "mx.acme.example; spf=fail; dmarc=bestguesspass", "none"]
)
def test_what_it_does_not_say_is_no_reason(judged):
    raw = f"Authentication-Results: {judged}\nAuthentication-Results: older; dmarc=fail\n".encode() + mail(TEXT).raw
    assert found(Mail("1", raw)) == TOKEN


def test_a_mail_about_nobody_of_ours_is_no_refusal():
    assert read_mail(mail(TEXT), "other@acme.example").refusal == ""
    assert "not from salesforce.com" in read_mail(mail(TEXT, sender="x@evil.example"), NAME).refusal
    assert "no security token" in read_mail(mail(f"Hello {NAME}"), NAME).refusal


@pytest.mark.parametrize(
    "text",
    [
        f"Benutzername: {NAME}\nSicherheitstoken (Groß-/Kleinschreibung beachten): {TOKEN}\n",
        f"ユーザ名：{NAME}\nセキュリティトークン（大文字と小文字を区別）：{TOKEN}です。\n",  # noqa: RUF001
        f"用户名：{NAME}。安全标记：{TOKEN}。",  # noqa: RUF001
        f"اسم المستخدم: {NAME}\nرمز الأمان: {TOKEN}\n",
        f"Nom d'utilisateur : {NAME}.\nJeton de sécurité : « {TOKEN} ».\n",
        f'Имя пользователя: <{NAME}>\nМаркер безопасности: "{TOKEN}"\n',  # noqa: RUF001
        f"Username:\r\n\r\n{NAME.upper()}\r\n\r\nSecurity token:\r\n\r\n{TOKEN}\r\n",
        f"{TOKEN} is the token of {NAME}",
        f"{TEXT}\nhttps://acme.my.salesforce.com/x?token={OTHER} www.salesforce.com/{OTHER}\n",
        f"{TEXT}\nOrganization 00D5g000004ABCDEAA, user 0055g00000AbCdEAAV\n",
        f"{TEXT}\nref:_00D5gAbCdEf._5005gAbCdEfGhIjKlMnOp:ref\n",
        f"{TEXT}\nDonaudampfschifffahrtsgesellschaft KRAFTFAHRZEUGHAFTPFLICHT 12345678901234567890123\n",
        f"{TEXT}\nSupportTeamOfTheAcmeCompany 0123456789abcdef0123456789abcdef\n",
        f"{TEXT}\nand once more: {TOKEN}\n",
    ],
)
def test_a_token_is_found_by_the_user_name_and_its_look(text):
    assert found(mail(text)) == TOKEN
    assert found(mail(html=f"<html><body><p>{text}</p></body></html>".replace(f"<{NAME}>", NAME))) == TOKEN


@pytest.mark.parametrize(
    "html",
    [
        f"<p>Username: <b>{NAME}</b></p><p>Security token: <b>{TOKEN[:9]}<wbr>{TOKEN[9:]}</b></p>",
        f"<table><tr><td>{NAME}</td><td>{TOKEN}</td></tr></table>",
        f"<p>{NAME.replace('@', '&#64;')}<br>{TOKEN[:5]}&#8203;{TOKEN[5:]}</p>",
        f"<style>.{OTHER}{{}}</style><script>var a='{OTHER}'</script><p>{NAME}<br>{TOKEN}</p>",
        f'<a href="https://x.example/{OTHER}">{NAME}</a> {TOKEN}<img src="https://x.example/{OTHER}.gif">',
    ],
)
def test_a_token_is_found_as_people_see_it(html):
    assert found(mail(html=html)) == TOKEN


def test_the_plain_part_is_read_first():
    assert found(mail(TEXT, f"<p>{NAME} {TOKEN} {OTHER}</p>")) == TOKEN
    assert found(mail("Please show me as HTML.", f"<p>{NAME} {TOKEN}</p>")) == TOKEN


@pytest.mark.parametrize(
    "name",
    [
        "api.user@acme.example.sandbox",
        "user@acme.example",
        "api.user@acme.exampl",
        "pi.user@acme.example",
        "api-user@acme.example",
        "other@acme.example",
    ],
)
def test_the_mail_of_another_user_brings_nothing(name):
    assert found(mail(TEXT), name) is None


@pytest.mark.parametrize(
    ("mailed", "asked"),
    [
        ("api.user@acme.example.sandbox", "api.user@acme.example"),
        ("o'api@acme.example", "api@acme.example"),
        ("x+api@acme.example", "api@acme.example"),
        ("api@acme.example-labs.example", "api@acme.example"),
    ],
)
def test_a_longer_name_is_another_user(mailed, asked):
    assert found(mail(TEXT.replace(NAME, mailed)), asked) is None
    assert found(mail(TEXT.replace(NAME, mailed)), mailed) == TOKEN


@pytest.mark.parametrize("name", ["a.b@acme.example", "axb@acme.example"])
def test_a_dot_in_a_name_is_a_dot(name):
    assert (found(mail(TEXT.replace(NAME, "axb@acme.example")), name) == TOKEN) == (name == "axb@acme.example")


@pytest.mark.parametrize(
    "text",
    [
        f"{TEXT}{OTHER}\n",
        TEXT.replace(TOKEN, "tooShortToBeAT0ken"),
        TEXT.replace(TOKEN, "aB3d" * 11),
        TEXT.replace(TOKEN, f"{TOKEN}@acme.example"),
        TEXT.replace(TOKEN, f"{TOKEN}-{OTHER}"),
        TEXT.replace(TOKEN, f"https://x.example/{TOKEN}"),
        TEXT.replace(TOKEN, "sicherheitstokenbestaetigung"),
        "",
    ],
)
def test_where_no_run_or_more_than_one_could_be_the_token_none_is_taken(text):
    assert found(mail(text)) is None


@pytest.mark.parametrize(
    "sender",
    [
        "support@salesforce.com",
        "Salesforce <noreply@mail.Salesforce.COM>",
        '"Salesforce, Inc." <noreply@salesforce.com>',
        "salesforce.com Support <support@salesforce.com>",
    ],
)
def test_salesforce_writes_from_its_own_domain(sender):
    assert found(mail(TEXT, sender=sender)) == TOKEN


@pytest.mark.parametrize(
    "sender",
    [
        None,
        "noreply@salesforce.com.evil.example",
        "noreply@evilsalesforce.com",
        "noreply@salesforce.com <noreply@evil.example>",
        '"noreply@salesforce.com" <noreply@evil.example>',
        "noreply@salesforce.com, someone@evil.example",
        "salesforce.com",
        "undisclosed: ;",
    ],
)
def test_who_writes_from_elsewhere_is_not_believed(sender):
    assert found(mail(TEXT, sender=sender)) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"From: noreply@salesforce.com",
        b"From: noreply@salesforce.com\r\nContent-Type: text/plain; charset=unheard-of\r\n\r\n\xff",
        b"From: noreply@salesforce.com\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!",
        b"From: noreply@salesforce.com\r\nContent-Type: multipart/mixed\r\n\r\nno boundary",
        b"From: =?utf-8?q?=41\r\nContent-Type: ;;;\r\n\r\nx",
        b"From: " + b"(" * 3000 + b"\r\n\r\nx",
    ],
)
def test_a_mail_that_nobody_can_read_brings_nothing(raw):
    assert token_in(Mail("1", raw), NAME) is None


def test_two_senders_lines_are_one_too_many():
    raw = b"From: noreply@salesforce.com\nFrom: noreply@evil.example\n\n" + TEXT.encode()
    assert token_in(Mail("1", raw), NAME) is None


def test_an_attachment_is_not_read():
    message = EmailMessage()
    message["From"] = "noreply@salesforce.com"
    message.set_content("See the attachment.")
    message.add_attachment(TEXT, filename="token.txt")
    assert found(Mail("1", message.as_bytes())) is None


def test_neither_the_mail_nor_the_token_prints():
    token = token_in(mail(TEXT), NAME)
    assert TOKEN not in f"{mail(TEXT)!r} {token!r}"


HEAD = b"From: a <x@salesforce.com>\nSubject: s\nContent-Type: text/%s; charset=utf-8\n\n"
MOTIFS = ["a", ":", "www.", "://", "'", "<", "<!", "<!--", "</a", "<a ", "<a x='", "&#", "<?", "<b>", "<p>", "<p><td>"]
HEADERS = ["Content-Type: text/plain; charset=" + '"', "Content-Type: text/plain; a*0*=x", "From: (", "From: a@b, "]


@pytest.mark.parametrize(
    "raw",
    [
        *(
            HEAD % kind + (motif * (LARGEST_MAIL // len(motif))).encode()
            for kind in (b"plain", b"html")
            for motif in MOTIFS
        ),
        *((header + header[-6:] * 40_000).encode() + b"\n\n" + NAME.encode() for header in HEADERS),
        *((header + "\n\t".join([header[-6:] * 100] * 400)).encode() + b"\n\n" for header in HEADERS),
        b"From: x@salesforce.com\nContent-Type: multipart/mixed; boundary=x\n\n" + b"--x\n\na\n" * 35_000,
    ],
    ids=itertools.count(),
)
def test_no_strangers_mail_keeps_the_sidecar_busy(raw):
    """Such mails once took minutes, in which no other thread ran: a pattern or a parser tried every pair of places."""
    begun = time.thread_time()
    assert read_mail(Mail("1", raw), NAME).token is None
    assert read_given_mail(SecretStr(raw.decode()), NAME).token is None
    assert time.thread_time() - begun < 10  # of CPU; what grows with the square takes minutes


WORDS = ["www.", "://", "a", " ", ":", "/", "\n", "w", "-", TOKEN, NAME]


@given(st.lists(st.sampled_from(WORDS), max_size=12).map("".join))
def test_a_link_is_a_whole_word_or_the_rest_of_one(text):
    assert _without_addresses(text) == re.sub(r"\S*://\S+|\bwww\.\S+", " ", text)


LINES = ["Content-Type: ", "Content-Transfer-Encoding: ", "From: ", "To: ", "Subject: ", "Authentication-Results: "]
VALUES = [
    "text/html",
    "multipart/mixed; boundary=x",
    "; charset=",
    "utf-7",
    "iso-2022-jp",
    "rot13",
    "base64",
    "x-uuencode",
]
VALUES += [
    "quoted-printable",
    "=?utf-8?q?",
    "?=",
    "<x@salesforce.com>",
    "dmarc=fail",
    "--x",
    "--x--",
    "=C3",
    "=",
    "\xff",
    "\0",
]
PIECES = st.sampled_from([*LINES, *VALUES, NAME, TOKEN, "\n", "\n\n", "\r", "\n ", "<p>", "<!--", "&#x110000;"])


@settings(max_examples=150, deadline=None)
@given(st.lists(PIECES | st.text(max_size=3), max_size=25).map("".join), st.sampled_from(["utf-8", "utf-16", "cp037"]))
def test_whatever_a_mail_is_it_brings_one_whole_token_or_none(text, coding):
    raw = text.encode(coding, "replace")
    for reading in (read_mail(Mail("1", raw), NAME), read_given_mail(SecretStr(text), NAME)):
        assert reading.token is None or re.fullmatch("[A-Za-z0-9]{20,40}", reading.token.reveal())
        assert TOKEN not in reading.refusal


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(LANGUAGES),
    st.sampled_from(["both", "plain", "html"]),
    st.integers(0, 4000),
    st.integers(0, 4000),
    st.binary(max_size=3),
)
def test_a_spoilt_mail_of_the_orgs_brings_a_whole_token_or_none(language, parts, begin, end, put):
    whole = token_letter(a_user(language), TOKEN, datetime(2030, 1, 1, tzinfo=UTC), parts=parts).message().as_bytes()
    token = found(Mail("1", whole[:begin] + put + whole[max(begin, end % len(whole)) :]))
    assert token is None or re.fullmatch("[A-Za-z0-9]{20,40}", token)
