"""A real Dovecot on a loopback port, as a user without rights, serving maildirs that a test delivers into."""

import contextlib
import grp
import http.server
import json
import mailbox
import os
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import time
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import trustme

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_contract.api.config import Config
from vault_salesforce_sidecar.mailbox.watched import Pace

PATIENCE_SECONDS = 15.0
PASSWORD = "Mailbox-password-1"
ACCESS_TOKEN = "access-token-1"
HASTY = Pace(idle=5, poll=0.1, first_pause=0.1, longest_pause=0.2)
NOBODY = 65534

CONFIG = """
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {user}
default_login_user = {user}
default_internal_group = {group}
first_valid_uid = 1
mail_location = maildir:{base}/mail/%n
ssl = required
ssl_min_protocol = TLSv1.2
ssl_cert = <{base}/cert.pem
ssl_key = <{base}/key.pem
disable_plaintext_auth = yes
auth_failure_delay = 0 secs
mail_max_userip_connections = 50
auth_mechanisms = plain login xoauth2
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = {base}/users
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2
  args = {base}/oauth2.conf
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={base}/home/%n
}}
"""
OAUTH2 = """
tokeninfo_url = http://127.0.0.1:{port}/tokeninfo?access_token=
introspection_mode = get
username_attribute = email
username_format = %u
"""


def why_not() -> str | None:
    """Why no Dovecot can be started here; None: one can."""
    if shutil.which("dovecot") is None:
        return "no dovecot here: apt-get install dovecot-imapd"
    return None


class Dovecot:
    """A server that runs from `start` to `stop`.

    Attributes:
        port: Where it serves IMAP over TLS.
        ca_cert: PEM of the authority that vouches for it.
    """

    def __init__(self, tokeninfo_port: int = 1) -> None:
        # The paths of its sockets must be short.
        self._base = Path(tempfile.mkdtemp(prefix="dc-", dir="/tmp"))
        self.port = _free_port()
        authority = trustme.CA()
        self.ca_cert = authority.cert_pem.bytes().decode()
        certificate = authority.issue_cert("127.0.0.1")
        self._uid, self._gid = (NOBODY, NOBODY) if os.getuid() == 0 else (os.getuid(), os.getgid())
        user = pwd.getpwuid(self._uid).pw_name
        names = {"base": self._base, "port": self.port, "user": user, "uid": self._uid, "gid": self._gid}
        group = grp.getgrgid(self._gid).gr_name
        for folder in ("run", "state", "mail", "home"):
            (self._base / folder).mkdir()
        self._write("cert.pem", "\n".join(part.bytes().decode() for part in certificate.cert_chain_pems))
        self._write("key.pem", certificate.private_key_pem.bytes().decode())
        self._write(
            "users", "".join(f"{name}:{{PLAIN}}{PASSWORD}::::::\n" for name in ("sf", "other", "sf@acme.example"))
        )
        self._write("oauth2.conf", OAUTH2.format(port=tokeninfo_port))
        self._write("dovecot.conf", CONFIG.format(group=group, **names))
        self._chown()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return once it greets."""
        as_whom = {"user": self._uid, "group": self._gid, "extra_groups": []} if os.getuid() == 0 else {}
        self._process = subprocess.Popen(
            [shutil.which("dovecot") or "", "-F", "-c", str(self._base / "dovecot.conf")],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **as_whom,
        )
        pause = threading.Event()
        for _ in range(int(PATIENCE_SECONDS / 0.05)):
            if self._greets():
                return
            assert self._process.poll() is None, self.log()
            pause.wait(0.05)
        raise AssertionError(self.log())

    def stop(self) -> None:
        """Stop it; it can be started again."""
        if self._process is not None:
            # What serves a connection would go on until its client leaves.
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(PATIENCE_SECONDS)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process = None

    def remove(self) -> None:
        """Stop it for good."""
        self.stop()
        shutil.rmtree(self._base, ignore_errors=True)

    def log(self) -> str:
        """What it wrote."""
        path = self._base / "log"
        return path.read_text() if path.exists() else "nothing"

    def maildir(self, user: str = "sf") -> mailbox.Maildir:
        """The user's INBOX as it is on disk."""
        path = self._base / "mail" / user
        for part in (path, *(path / name for name in ("tmp", "new", "cur"))):
            part.mkdir(exist_ok=True)
        self._chown()
        return mailbox.Maildir(path, create=False)

    def deliver(self, message: EmailMessage | bytes, user: str = "sf") -> str:
        """Put a mail where it becomes one, whole."""
        self.maildir(user)
        name = f"{time.time_ns()}.P{os.getpid()}"
        made, path = (self._base / "mail" / user / part / name for part in ("tmp", "new"))
        made.write_bytes(bytes(message))
        self._give(made)
        made.rename(path)
        return name

    def empty(self, user: str = "sf") -> None:
        """An INBOX of which nothing is known any more: its UIDVALIDITY is another one."""
        shutil.rmtree(self._base / "mail" / user, ignore_errors=True)
        self.maildir(user)

    def forget_uids(self, user: str = "sf") -> None:
        """Keep the mails, and lose what they were called."""
        path = self._base / "mail" / user
        for file in path.glob("dovecot*"):
            file.unlink()
        (path / "dovecot-uidvalidity").touch()
        self._chown()

    def _greets(self) -> bool:
        context = ssl.create_default_context(cadata=self.ca_cert)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), 2) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as tls,
            ):
                return tls.recv(4).startswith(b"* OK")
        except OSError:
            return False

    def _write(self, name: str, text: str) -> None:
        (self._base / name).write_text(text)

    def _chown(self) -> None:
        for path in (self._base, *self._base.rglob("*")):
            self._give(path)

    def _give(self, path: Path) -> None:
        with contextlib.suppress(FileNotFoundError):  # the server moves mails about
            os.chown(path, self._uid, self._gid, follow_symlinks=False)


def _free_port() -> int:
    while True:
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class TokenInfo(http.server.BaseHTTPRequestHandler):
    """Tells a mail server whose an access token is."""

    def do_GET(self):
        known = parse_qs(urlsplit(self.path).query).get("access_token") == [ACCESS_TOKEN]
        body = json.dumps({"email": "sf"} if known else {"error": "invalid_token"}).encode()
        self.send_response(200 if known else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


def config_of(server, user="sf", **settings):
    """A connection whose mailbox that is."""
    known = {"mailbox": f"imaps://{user}@127.0.0.1:{server.port}/INBOX", "mailbox_password": SecretStr(PASSWORD)}
    return Config(login_url="https://x.my.salesforce.com", **({"ca_cert": server.ca_cert} | known | settings))
