"""The program: reads its options, starts the simulator, and runs until it is told to end."""

import json
import signal
from pathlib import Path
from threading import Event
from types import FrameType

import click

from .reading import SettingsError
from .serve import TlsFiles, start
from .settings import DEFAULT_CONFIG, DEFAULT_PASSWORD, DEFAULT_SECURITY_TOKEN, DEFAULT_USERNAME, read_config

HELP = f"""Play a Salesforce org on this machine, with its rules and its misbehaviours.

Without a configuration there is one user, who may reset the security token by mail:

\b
  username        {DEFAULT_USERNAME}
  password        {DEFAULT_PASSWORD}
  security token  {DEFAULT_SECURITY_TOKEN}

A configuration is a JSON file, each part of it optional:

\b
  {{"org": {{"retire_mode": "pre-W26", "password_policy": {{"max_login_attempts": 5}}}},
   "users": [{{"username": "a@b.example", "password": "...", "security_token": "..."}}],
   "apps": [{{"client_id": "...", "certificate": "-----BEGIN CERTIFICATE-----..."}}],
   "misbehave": {{"mail_delay_seconds": 2}}}}
"""

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.command(help=HELP)
@click.option("--port", default=0, show_default=True, help="Port that plays Salesforce; 0 is any that is free.")
@click.option("--control-port", default=0, show_default=True, help="Port for tests; 0 is any that is free.")
@click.option("--maildir", type=click.Path(file_okay=False, path_type=Path), help="Where mail is delivered.")
@click.option("--config", "config_file", type=_FILE, help="JSON file with the org and its users.")
@click.option("--tls-cert", type=_FILE, help="Certificate chain (PEM); plain HTTP without it.")
@click.option("--tls-key", type=_FILE, help="Private key (PEM) of the certificate.")
@click.option("--tls-client-ca", type=_FILE, help="Authorities of client certificates (PEM).")
@click.option("--smtp", metavar="HOST:PORT", help="Mail server that mail is sent to as well, such as 127.0.0.1:1025.")
@click.option("--json", "as_json", is_flag=True, help="Print the addresses as one line of JSON.")
def main(
    *,
    port: int,
    control_port: int,
    maildir: Path | None,
    config_file: Path | None,
    tls_cert: Path | None,
    tls_key: Path | None,
    tls_client_ca: Path | None,
    smtp: str | None,
    as_json: bool,
) -> None:
    """Run until SIGTERM or SIGINT."""
    if bool(tls_cert) != bool(tls_key):
        raise click.UsageError("--tls-cert and --tls-key go together.")
    tls = TlsFiles(tls_cert, tls_key, tls_client_ca) if tls_cert and tls_key else None
    host, _, smtp_port = (smtp or "").rpartition(":")
    if smtp and not (host and smtp_port.isdecimal()):
        raise click.UsageError("--smtp must be HOST:PORT.")
    server = (host, int(smtp_port)) if smtp else None
    ended = Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        ended.set()

    # Before the first port opens, so that no signal finds the default handler.
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    try:
        config = read_config(json.loads(config_file.read_text("utf-8"))) if config_file else DEFAULT_CONFIG
        running = start(config, maildir=maildir, smtp=server, port=port, control_port=control_port, tls=tls)
    except (SettingsError, OSError, json.JSONDecodeError) as error:
        raise click.ClickException(str(error)) from error
    with running:
        address = running.address()
        lines = json.dumps(address) if as_json else "\n".join(f"{name}: {value}" for name, value in address.items())
        click.echo(lines)
        ended.wait()


if __name__ == "__main__":
    main()
