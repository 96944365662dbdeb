"""The sidecar's process: settings, the listening socket, gunicorn around one worker, and its end."""

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

import flask
import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.glogging import Logger
from gunicorn.http.errors import (
    ExpectationFailed,
    InvalidResponseHeader,
    InvalidResponseHeaderName,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from gunicorn.util import write_error
from gunicorn.workers.gthread import ThreadWorker

from vault_plugin_sdk.privacy import keep_private
from vault_salesforce_sidecar import files
from vault_salesforce_sidecar import log as logs
from vault_salesforce_sidecar.doors.admission import ARRIVALS, MAX_HEAD_BYTES, Admission
from vault_salesforce_sidecar.doors.app import MAX_BODY_BYTES, create_app
from vault_salesforce_sidecar.doors.tls import OwnCertificate, make_certificate
from vault_salesforce_sidecar.engine import Engine
from vault_salesforce_sidecar.settings import Settings, SettingsFault, from_environ, misspelt

log = structlog.get_logger(__name__)

MAX_LINE_BYTES = 8190  # the most that gunicorn takes: a path of `forwarding.MAX_PATH_BYTES`, and to spare
MAX_FIELDS = 32
WORKER_SECONDS = 30  # how long the worker's first thread may say nothing; no request runs in it
DRAIN_SECONDS = 30  # how long gunicorn lets a worker come to its end
CONNECTIONS = 2 * ARRIVALS  # on their way in, or being answered: of the 1024 files that a service may usually open
PR_SET_PDEATHSIG = 1  # Source: prctl(2)
USAGE_STATUS = 2


def main(environ: Mapping[str, str]) -> None:
    """Run the sidecar until SIGTERM.

    Args:
        environ: Settings, see `settings.Settings`.

    Raises: SystemExit: at the end; with status 2 where the settings are wrong, which stderr then lists.
    """
    try:
        settings = from_environ(environ, socket.gethostname())
    except SettingsFault as exc:
        sys.stderr.writelines(f"vault-salesforce sidecar: {fault}\n" for fault in exc.faults)
        raise SystemExit(USAGE_STATUS) from None
    logs.configure(settings.log_level)
    logs.hear_the_unheard()
    keep_private()
    for sentence in misspelt(environ):
        log.warning("settings", reason=sentence)
    if shortage := files.allow(files.needed(settings)):
        log.warning("settings", reason=shortage)
    if settings.ready_file:
        Path(settings.ready_file).unlink(missing_ok=True)
    listener = _listen(settings.listen_host, settings.listen_port)
    url = settings.advertised_url.rstrip("/") or _url_of(listener)
    log.info("listening", url=url, instance=settings.instance)
    certificate = make_certificate(settings.instance, urlsplit(url).hostname or settings.listen_host)
    Server(settings, listener, url, certificate).run()


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn around one worker: rotations of one process share their limits, and the journal does the rest."""

    def __init__(self, settings: Settings, listener: socket.socket, url: str, certificate: OwnCertificate) -> None:
        self._settings, self._url, self._certificate = settings, url, certificate
        self._bind = f"fd://{listener.detach()}"  # once: a reload asks for the configuration again
        self._engine: Engine | None = None
        self._told = False
        super().__init__()

    def load_config(self) -> None:
        """See gunicorn."""
        values: dict[str, Any] = {
            "bind": [self._bind],
            "workers": 1,
            "worker_class": _Worker,
            "threads": self._settings.web_threads,
            # One more waits to be accepted: a worker that may open no further file ends, and its rotations with it.
            "worker_connections": CONNECTIONS,
            "preload_app": False,
            "control_socket_disable": True,
            # What a request may be like; `Admission` bounds how long all of its head may be and take.
            "limit_request_line": MAX_LINE_BYTES,
            "limit_request_fields": MAX_FIELDS,
            "limit_request_field_size": MAX_HEAD_BYTES,
            "permit_obsolete_folding": False,
            "permit_unconventional_http_method": False,
            "permit_unconventional_http_version": False,
            "strip_header_spaces": False,
            "casefold_http_method": False,
            "header_map": "refuse",  # nobody whom we trust sends a name that two could read in two ways
            "forwarder_headers": "",
            "forwarded_allow_ips": "",  # whoever stands in between is no proxy of ours
            "proxy_protocol": "off",
            "http_parser": "python",  # one parser, whatever else is installed
            "timeout": WORKER_SECONDS,
            "max_requests": 0,  # a worker that is replaced would stop its rotations
            "umask": 0o077,
            "keepalive": 0,  # whoever asks again connects again, and waits where it holds up nobody
            "graceful_timeout": DRAIN_SECONDS,
            "logger_class": _Logger,
            "loglevel": self._settings.log_level,
            "proc_name": "vault-salesforce-sidecar",
            "post_fork": _post_fork,
            "post_worker_init": self._post_worker_init,
            "worker_exit": self._worker_exit,
        }
        for name, value in values.items():
            self.cfg.set(name, value)

    def load(self) -> flask.Flask:
        """See gunicorn: called in the worker, so that nothing is opened or started before the fork."""
        return create_app(self._made())

    def _made(self) -> Engine:
        """The worker's engine."""
        if self._engine is None:
            self._engine = Engine(
                self._settings,
                url=self._url,
                certificate=self._certificate.pem,
                version=version("vault-salesforce"),
                registered=self._registered,
            )
        return self._engine

    def threads(self) -> Admission:
        """The web threads, and the TLS before them."""
        return Admission(self._settings.web_threads, self._certificate.context, MAX_BODY_BYTES)

    def _post_worker_init(self, _worker: Any) -> None:
        self._made().start()
        drain = signal.getsignal(signal.SIGTERM)

        def stop(number: int, frame: FrameType | None) -> None:
            # First ours: gunicorn waits for its requests, and those that watch a rotation end only when it stops.
            self._begin_stop()
            if callable(drain):
                drain(number, frame)

        signal.signal(signal.SIGTERM, stop)
        signal.siginterrupt(signal.SIGTERM, False)
        # A terminal's Ctrl-C reaches us and the master, which sends SIGQUIT: gunicorn's handlers of the two, one
        # interrupting the other, would wait for each other's lock for ever.
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _worker_exit(self, _arbiter: Any, _worker: Any) -> None:
        """However a worker ends: the process waits for its engine. The master is told too, and has none."""
        self._begin_stop()

    def _begin_stop(self) -> None:
        """Tell the engine, once: a handler that interrupts another must not wait for a lock which that one holds."""
        if self._engine is not None and not self._told:
            self._told = True
            self._engine.begin_stop()

    def _registered(self) -> None:
        """The plugin knows this sidecar: say so to whoever waits for the file."""
        if not self._settings.ready_file:
            return
        target = Path(self._settings.ready_file)
        draft = target.with_name(f".{target.name}.{os.getpid()}")
        draft.write_text(json.dumps({"url": self._url, "instance": self._settings.instance, "pid": os.getppid()}))
        draft.replace(target)


_OF_OUR_ANSWER = (InvalidResponseHeader, InvalidResponseHeaderName)
_REFUSED_WITH = {
    LimitRequestLine: HTTPStatus.REQUEST_URI_TOO_LONG,
    LimitRequestHeaders: HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    UnsupportedTransferCoding: HTTPStatus.NOT_IMPLEMENTED,
    ExpectationFailed: HTTPStatus.EXPECTATION_FAILED,
}


class _Worker(ThreadWorker):  # type: ignore[misc]  # as above
    """gunicorn's threads, which get a connection only when its whole request is there."""

    def get_thread_pool(self) -> Admission:
        """See gunicorn."""
        server: Server = self.app
        return server.threads()

    def handle_error(self, req: Any, client: socket.socket, addr: Any, exc: Exception) -> None:
        """See gunicorn. Of what is no request nothing is logged or sent back but of which kind it is."""
        if not isinstance(exc, ParseException) or isinstance(exc, _OF_OUR_ANSWER):
            super().handle_error(req, client, addr, exc)
            return
        kind = type(exc)
        log.info("no_request", remote_address=addr[0] if addr else "", reason=kind.__name__)
        status = _REFUSED_WITH.get(kind, HTTPStatus.BAD_REQUEST)
        with contextlib.suppress(OSError):
            write_error(client, status.value, status.phrase, "")


class _Logger(Logger):  # type: ignore[misc]  # gunicorn carries no types
    """gunicorn's lines go where all others go."""

    def setup(self, cfg: Any) -> None:
        """See gunicorn."""
        super().setup(cfg)
        self.error_log.handlers.clear()
        self.error_log.propagate = True


def _post_fork(_arbiter: Any, worker: Any) -> None:
    """The worker dies with its master, or it would go on rotating beside the master's successor."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")
    if os.getppid() != worker.ppid:  # it died before it was asked
        os.kill(os.getpid(), signal.SIGKILL)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as exc:
        reason = os.strerror(exc.errno) if exc.errno and exc.errno > 0 else exc.strerror
        sys.stderr.write(f"vault-salesforce sidecar: cannot listen at {host}:{port}: {reason}\n")
        raise SystemExit(1) from None


def _url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"
