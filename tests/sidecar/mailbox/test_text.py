"""What a mail says."""

import email
import email.policy

import pytest

from vault_salesforce_sidecar.mailbox.text import texts


def read(kind, body):
    raw = f"Content-Type: {kind}\r\n\r\n{body}".encode()
    return [text.strip() for text in texts(email.message_from_bytes(raw, policy=email.policy.default))]


@pytest.mark.parametrize(
    ("html", "seen"),
    [
        ("one <b>t</b>wo", "one two"),
        ("<p>one</p><p>two</p>", "one\n\ntwo"),
        ("<td>one</td><td>two</td>", "one\n\ntwo"),
        ("one<br>two", "one\ntwo"),
        ("a &lt;b&gt; &amp;amp; c", "a <b> &amp; c"),
        ("<head><title>no</title></head><style>no</style><script>no</script>yes", "yes"),
        ("<!-- no -->yes", "yes"),
        ("so&shy;ft", "soft"),
        ("</script>yes", "yes"),
    ],
)
def test_html_is_what_is_shown(html, seen):
    assert read("text/html; charset=utf-8", html) == [seen]


def test_plain_parts_come_first_and_others_not_at_all():
    parts = "--x\r\nContent-Type: text/html\r\n\r\n<p>two\r\n--x\r\nContent-Type: text/plain\r\n\r\none\r\n"
    parts += "--x\r\nContent-Type: text/calendar\r\n\r\nthree\r\n--x--\r\n"
    assert read('multipart/mixed; boundary="x"', parts) == ["one", "two"]
