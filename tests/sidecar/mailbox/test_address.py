"""Where a mailbox is."""

import pytest

from vault_salesforce_sidecar.mailbox.address import Address, parse


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("imaps://bot@mail.example/INBOX", Address("mail.example", 993, "bot", "INBOX")),
        ("imaps://bot@mail.example", Address("mail.example", 993, "bot", "INBOX")),
        (
            "imaps://bot@acme.example@mail.example:1993/Tokens",
            Address("mail.example", 1993, "bot@acme.example", "Tokens"),
        ),
        ("IMAPS://bot%40acme.example@10.0.0.7/a/b%20c", Address("10.0.0.7", 993, "bot@acme.example", "a/b c")),
        ("imaps://bot@[::1]:1993/Entw%C3%BCrfe", Address("::1", 1993, "bot", "Entwürfe")),
    ],
)
def test_an_address_names_server_user_and_folder(text, address):
    assert parse(text) == address


@pytest.mark.parametrize(
    "text",
    [
        "",
        "imap://bot@mail.example/INBOX",
        "imaps://mail.example/INBOX",
        "imaps://bot@/INBOX",
        "imaps://bot@mail.example:x/INBOX",
        "imaps://bot@mail.example:99999/INBOX",
        "imaps://bot@mail.example/INBOX?x=1",
        "imaps://bot@mail.example/INBOX#x",
        "imaps://bot@mail.example/IN\r\nBOX",
        "imaps://bot@mail.example/IN%0d%0aBOX",
        "imaps://bo%00t@mail.example/INBOX",
        "imaps://bo%fft@mail.example/INBOX",
        "imaps://bot@[::1/INBOX",
    ],
)
def test_anything_else_is_refused(text):
    with pytest.raises(ValueError, match="imaps://<user>"):
        parse(text)


def test_a_password_in_an_address_is_refused_and_not_repeated():
    with pytest.raises(ValueError, match="mailbox_password") as error:
        parse("imaps://bot:hidden@mail.example/INBOX")
    assert "hidden" not in str(error.value)
