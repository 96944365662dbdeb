"""Two ports, one org: starts and stops the simulator, loopback only."""

import logging
import os
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any, Self

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from .clock import OrgClock
from .control import control_app
from .exchange import World
from .in_progress import InProgress
from .later import Later
from .misbehave import Misbehave
from .org import Org
from .post_office import PostOffice
from .request_log import RequestLog
from .settings import DEFAULT_CONFIG, Config, read_config
from .stale import StaleConsumers
from .stopping import Stopping
from .urls import vendor_app

LOOPBACK = "127.0.0.1"

_POLL_SECONDS = 0.05
_REQUEST_SECONDS = 60


class _QuietHandler(WSGIRequestHandler):
    # A client that opens a connection and says nothing must not keep a thread for ever.
    timeout = _REQUEST_SECONDS

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 -- werkzeug's name
        """Say nothing: the control port has the list of requests."""


@dataclass(frozen=True)
class TlsFiles:
    """Certificate chain and private key, both PEM files; and the authorities of client certificates, if any."""

    certificate: Path
    key: Path
    client_authorities: Path | None = None


class Running:
    """A simulator that runs on threads of this process.

    Attributes:
        url: Address that plays Salesforce.
        control_url: Address of the control port.
        org: The org, for tests that look inside.
        world: The org with everything around it.
    """

    def __init__(self, world: World, stale: StaleConsumers, ports: tuple[int, int], tls: TlsFiles | None) -> None:
        self.world = world
        self.org = world.org
        self._stale = stale
        context = _tls_context(tls) if tls else None
        with socket.create_server((LOOPBACK, ports[0])) as one, socket.create_server((LOOPBACK, ports[1])) as other:
            self._servers = [
                _server(vendor_app(world), one, context),
                _server(control_app(world, stale), other, None),
            ]
        self.url = f"{'https' if tls else 'http'}://{LOOPBACK}:{self._servers[0].port}"
        self.control_url = f"http://{LOOPBACK}:{self._servers[1].port}"
        self._threads = [
            Thread(target=server.serve_forever, args=(_POLL_SECONDS,), name="orgsim-server", daemon=True)
            for server in self._servers
        ]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def address(self) -> dict[str, Any]:
        """Return what the program prints when it is ready."""
        return {"url": self.url, "control_url": self.control_url, "pid": os.getpid()}

    def stop(self) -> None:
        """End both ports, every wait and every stale consumer; a second call does nothing."""
        self.world.stopping.set()
        self._stale.stop_all()
        self.world.later.cancel()
        for server, thread in zip(self._servers, self._threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()


def start(
    config: Config | Mapping[str, Any] | None = None,
    *,
    maildir: Path | str | None = None,
    smtp: tuple[str, int] | None = None,
    port: int = 0,
    control_port: int = 0,
    tls: TlsFiles | None = None,
    clock: OrgClock | None = None,
) -> Running:
    """Start a simulator on threads of this process.

    Args:
        config: A Config, or the JSON of one, or None for the org that the program's help describes.
        maildir: Where mail is delivered; made when it is absent. None keeps it in memory.
        smtp: Host and port of a mail server on this machine that mail is sent to as well.
        port: Port that plays Salesforce; 0 is any that is free.
        control_port: Port of the control port; 0 is any that is free.
        tls: Certificate and key for the port that plays Salesforce; None is plain HTTP.
        clock: The org's clock; None is one that follows the machine's.

    Raises:
        SettingsError: The configuration cannot be used.
        OSError: A port is taken, or the maildir or a TLS file cannot be opened.
    """
    # werkzeug says on standard error that it is no server for production; for this purpose it is.
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    world = build_world(config, maildir=maildir, smtp=smtp, clock=clock)
    return Running(world, StaleConsumers(world.org), (port, control_port), tls)


def build_world(
    config: Config | Mapping[str, Any] | None = None,
    *,
    maildir: Path | str | None = None,
    smtp: tuple[str, int] | None = None,
    clock: OrgClock | None = None,
) -> World:
    """Build an org and everything around it, without a port.

    Args:
        config: As for `start`.
        maildir: As for `start`.
        smtp: As for `start`.
        clock: As for `start`.

    Raises:
        SettingsError: The configuration cannot be used.
    """
    settings = config if isinstance(config, Config) else DEFAULT_CONFIG if config is None else read_config(config)
    misbehave, later = Misbehave(settings.misbehave), Later()
    return World(
        org=Org(settings, clock or OrgClock()),
        misbehave=misbehave,
        post=PostOffice(misbehave, later, directory=Path(maildir) if maildir else None, server=smtp),
        log=RequestLog(),
        later=later,
        stopping=Stopping(),
        in_progress=InProgress(),
    )


def _server(app: Flask, listener: socket.socket, tls: ssl.SSLContext | None) -> BaseWSGIServer:
    # Handed a socket that listens already, werkzeug does not end the process when a port is taken.
    server = make_server(LOOPBACK, 0, app, threaded=True, request_handler=_QuietHandler, fd=listener.fileno())
    if tls:
        # The handshake is the connection's own thread's work, not that of the one thread that accepts.
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        server.ssl_context = tls
    return server


def _tls_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    if files.client_authorities:
        context.load_verify_locations(files.client_authorities)
        # Whether one is demanded is the org's setting, and its answer a fault of the API.
        context.verify_mode = ssl.CERT_OPTIONAL
    return context
