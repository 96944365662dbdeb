"""A mail server over TLS that does what a test tells it to, instead of what it should."""

import contextlib
import socket
import ssl
import threading
import time
import warnings

import trustme

GREETING = b"* OK [CAPABILITY IMAP4rev1 IDLE UIDPLUS AUTH=XOAUTH2] ready\r\n"
SELECTED = (
    b"* 1 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n* OK [UIDNEXT 2] ok\r\n",
    b"[READ-WRITE] done\r\n",
)


class Line:
    """One connection, as the server sees it."""

    def __init__(self, tls, stopping):
        self._tls, self._stopping = tls, stopping
        self._file = tls.makefile("rb")
        self.tag = b""

    def say(self, data):
        self._tls.sendall(data)

    def hear(self):
        """The next command, without its tag; empty at the end."""
        line = self._file.readline()
        self.tag, _, command = line.strip().partition(b" ")
        return command

    def ok(self, before=b"", after=b"done\r\n"):
        self.say(before + self.tag + b" OK " + after)

    def drip(self, piece, pause=0.05):
        """Say it again and again, slowly, until the client has had enough."""
        while not self._stopping.wait(pause):
            self.say(piece)

    def silence(self):
        self._stopping.wait(30)

    def serve(self, **answers):
        """Answer well, but for the commands that `answers` names."""
        self.say(GREETING)
        while command := self.hear():
            word = command.replace(b"UID ", b"").split()[0].decode().lower()
            if word in answers:
                answers[word](self)
            elif word in ("select", "examine"):
                self.ok(*SELECTED)
            elif word == "search":
                self.ok(b"* SEARCH 1\r\n")
            elif word == "idle":
                self.say(b"+ idling\r\n")
            elif word == "capability":
                self.ok(b"* CAPABILITY IMAP4rev1 IDLE UIDPLUS\r\n")
            elif word == "fetch":
                self.ok(b'* 1 FETCH (UID 1 INTERNALDATE " 1-Jan-2030 00:00:00 +0000")\r\n')
            else:
                self.ok()


class BadServer:
    """Serves every connection with `behave(line)` until `stop`."""

    def __init__(self, behave, *, oldest=False):
        authority = trustme.CA()
        self.ca_cert = authority.cert_pem.bytes().decode()
        self._behave, self._stopping = behave, threading.Event()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(self._context)
        if oldest:
            self._context.set_ciphers("ALL:@SECLEVEL=0")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                self._context.minimum_version = self._context.maximum_version = ssl.TLSVersion.TLSv1_1
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.connections = 0
        self.began = time.monotonic()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self):
        self._stopping.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        for thread in self._threads:
            thread.join(5)

    def _accept(self):
        while not self._stopping.is_set():
            try:
                plain, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            thread = threading.Thread(target=self._serve, args=(plain,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, plain):
        with contextlib.suppress(OSError, IndexError), plain:
            plain.settimeout(10)
            with self._context.wrap_socket(plain, server_side=True) as tls, contextlib.suppress(OSError):
                self._behave(Line(tls, self._stopping))
