"""Where bytes that others chose come into our code, each as one function: it returns whatever comes, or there is a bug.

The corpus in `tests/fuzz/corpus` has a folder for each; Hypothesis and the fuzzer make more.
"""

import asyncio
import base64
import json
import logging
import re
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.protobuf.message import DecodeError
from imapclient.response_parser import parse_fetch_response, parse_response
from org_answers import CALLS, outcome

from salesforce_orgsim import envelope, soql
from salesforce_orgsim.faults import FaultError, MessageError
from vault_plugin_sdk.framework.backend import Backend
from vault_plugin_sdk.framework.path import Router
from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.logical.errors import EngineError
from vault_plugin_sdk.logical.request import Operation, Request
from vault_plugin_sdk.logical.response import Response
from vault_plugin_sdk.wire.backend_service import BackendService
from vault_plugin_sdk.wire.broker import Broker
from vault_plugin_sdk.wire.convert import reply_to_pb
from vault_plugin_sdk.wire.handshake import HandshakeError, read_invitation
from vault_plugin_sdk.wire.proto import backend_pb2 as pb
from vault_plugin_sdk.wire.proto.go_plugin_pb2 import ConnInfo
from vault_salesforce_contract.forwarding import Claims, body_digest
from vault_salesforce_plugin.forward import _passed_on as passed_on
from vault_salesforce_plugin.http import Answer, Lost
from vault_salesforce_sidecar.doors.signed import SignedDoor
from vault_salesforce_sidecar.mailbox import address
from vault_salesforce_sidecar.mailbox.imap import translated
from vault_salesforce_sidecar.mailbox.mail import Mail, MailboxUnavailable, MarkOfAnother, read_given_mail, read_mail
from vault_salesforce_sidecar.mailbox.maildir import _parse as parse_mark
from vault_salesforce_sidecar.paths import PATHS
from vault_salesforce_sidecar.records import history_entry, hold, index_page, journal_entry, organization
from vault_salesforce_sidecar.settings import PREFIX, SettingsFault, from_environ, misspelt
from vault_salesforce_sidecar.vault.register import NotUnderstood, Trust
from vault_salesforce_sidecar.vault.register import _understood as understood

USERNAME = "api.user@acme.example"
LARGEST = 256 * 1024  # bytes of any one of them
KEY = Ed25519PrivateKey.from_private_bytes(b"only for tests, and not a secret")
MOUNT = {"multiplex_id": "abcdefghij"}


class Echo(Backend):
    """Answers with what it was asked."""

    def __init__(self) -> None:
        super().__init__([])

    async def fallback(self, request: Request) -> Response:
        lease = None if request.lease is None else dict(request.lease.internal_data)
        return Response(data={"path": request.path, "data": dict(request.data), "lease": lease})


@cache
def _service() -> BackendService:
    logging.getLogger("vault_plugin_sdk").setLevel(logging.CRITICAL)
    made = BackendService(Echo, Broker(lambda _: None, patience_seconds=0.01))
    asyncio.run(made.setup(pb.SetupArgs(broker_id=1), MOUNT))
    return made


def frame(content: bytes) -> None:
    """The body of a gRPC message to the plugin: whatever it is, the answer is JSON or an error of the protocol."""
    try:
        args = pb.HandleRequestArgs.FromString(content)
    except DecodeError:
        return
    reply = asyncio.run(_service().handle_request(args, MOUNT))
    assert reply.HasField("err") or reply.HasField("response")
    if reply.HasField("response"):
        raw = json.loads(reply.response.data)
        assert raw.get("http_status_code") != 500 or args.request.operation in ("renew", "revoke"), raw
        if "http_raw_body" in raw and args.request.operation != "create":
            json.loads(base64.b64decode(raw["http_raw_body"]) or b"null")


def announcement(content: bytes) -> None:
    """A message on the broker's stream."""

    async def listen() -> None:
        async def stream() -> Any:
            yield ConnInfo.FromString(content)

        await Broker(lambda _: None).listen(stream())

    try:
        asyncio.run(listen())
    except DecodeError:
        return


def answer(content: bytes) -> None:
    """An answer of Salesforce: the first two bytes say to which call, and with which status."""
    if len(content) >= 2:
        names = sorted(CALLS)
        statuses = (200, 201, 204, 400, 401, 403, 404, 500, 503)
        outcome(CALLS[names[content[0] % len(names)]], statuses[content[1] % len(statuses)], content[2:])


def mail(content: bytes) -> None:
    """A mail: it brings one whole token or none."""
    content = content[:LARGEST]
    for reading in (
        read_mail(Mail("1", content), USERNAME),
        read_given_mail(SecretStr(content.decode("utf-8", "replace")), USERNAME),
    ):
        assert reading.token is None or re.fullmatch("[A-Za-z0-9]{20,40}", reading.token.reveal())


class _Registrar:
    trust = Trust("acc", KEY.public_key())

    def refresh(self, _seconds: float) -> None:
        """Learns nothing."""


DOOR = SignedDoor(_Registrar(), "one")  # type: ignore[arg-type]


def token(content: bytes) -> None:
    """What stands behind `Bearer`: nobody gets in who has not the key."""
    try:
        DOOR.authenticate("POST", "rotate/crm", f"Bearer {content.decode('latin-1')}", b"{}")
    except EngineError as error:
        _told(error, 401, 503)
    else:
        raise AssertionError("somebody was let in")


def claims(content: bytes) -> None:
    """The payload of a token that the plugin did sign: it is for one request, or for none."""
    if content.count(b'"') > 4000:
        return
    signed = jwt.PyJWS().encode(content, KEY, "EdDSA")
    try:
        let_in = DOOR.authenticate("POST", "rotate/crm", f"Bearer {signed}", b"{}")
    except EngineError as error:
        _told(error, 401, 503)
    else:
        assert let_in.request.path == "rotate/crm"
        assert Claims.from_payload(json.loads(content)).digest == body_digest(b"{}")


ROUTER = Router(PATHS)


def body(content: bytes) -> None:
    """A body that the plugin did sign, at every path: it is refused in the caller's words, or fits."""
    now = int(time.time())
    for path in ("rotate/crm", "config/demo", "static-roles/crm", "resync/crm", "hold/demo"):
        payload = {"iss": "acc", "aud": "one", "jti": "1", "iat": now, "exp": now + 30, "operation": "update"}
        payload |= {"path": path, "digest": body_digest(content), "caller": {}}
        try:
            asked = DOOR.authenticate("POST", path, f"Bearer {jwt.encode(payload, KEY, 'EdDSA')}", content)
            ROUTER.resolve(asked.request)
        except EngineError as error:
            _told(error, 400, 404)


def path(content: bytes) -> None:
    """A path below the mount, decoded."""
    for operation in (Operation.READ, Operation.UPDATE, Operation.LIST, Operation.DELETE):
        try:
            ROUTER.resolve(Request(operation, content.decode("utf-8", "surrogateescape"), {}))
        except EngineError as error:
            _told(error, 400, 404, 405)


def record(content: bytes) -> None:
    """What KV holds: a record of ours, or of another release, or what somebody wrote there."""
    document = _object(content)
    for load in (journal_entry.load, history_entry.load, hold.load, index_page.load, organization.load):
        try:
            load(document)
        except ValueError:
            continue


def reply(content: bytes) -> None:
    """What a sidecar answers to the plugin; the first byte says with which status: the server can pass it on."""
    statuses = (200, 201, 204, 302, 400, 401, 404, 500, 503)
    try:
        response = passed_on(Answer(statuses[content[0] % len(statuses)] if content else 200, content[1:]))
    except Lost:
        return
    raw = reply_to_pb(response).response.data
    json.loads(raw or "null", parse_constant=_never)
    document = json.loads(raw or "null") or {}
    if "http_raw_body" in document:
        json.loads(base64.b64decode(document["http_raw_body"]) or "null", parse_constant=_never)


def _never(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


def heartbeat(content: bytes) -> None:
    """What the mount answers to a heartbeat."""
    try:
        understood(_object(content))
    except NotUnderstood as fault:
        _sentence(fault)


def environment(content: bytes) -> None:
    """The environment of a process: lines of NAME=value."""
    lines = content.decode("utf-8", "replace").replace("\0", "").splitlines()
    environ = dict(line.partition("=")[::2] for line in lines)
    try:
        read_invitation(environ)
    except HandshakeError as fault:
        _sentence(fault)
    misspelt(environ)
    try:
        from_environ({PREFIX + name: value for name, value in environ.items()}, "host")
    except SettingsFault as faults:
        _sentence(faults)


def imap(content: bytes) -> None:
    """Lines of an IMAP server, as its library takes them apart."""
    lines = content.split(b"\n")
    for read in (parse_response, parse_fetch_response):
        try:
            with translated("mail.example", "reading"):
                read(list(lines))
        except MailboxUnavailable as fault:
            _sentence(fault)


def mailbox(content: bytes) -> None:
    """Where a mailbox is, and what a mark of one says."""
    text = content.decode("utf-8", "replace")
    fault = address.fault(text)
    assert fault is None or fault.isprintable()
    try:
        parse_mark(text)
    except MarkOfAnother:
        return


def soap(content: bytes) -> None:
    """A SOAP request at the simulator."""
    try:
        envelope.parse(content)
    except MessageError:
        return


def query(content: bytes) -> None:
    """A query at the simulator."""
    try:
        soql.parse(content.decode("utf-8", "replace"))
    except FaultError:
        return


def _told(error: EngineError, *statuses: int) -> None:
    """It is refused as it should be."""
    assert error.status in statuses, error
    _sentence(error)


def _sentence(error: Exception) -> None:
    """Its text is one line that does nothing to a terminal."""
    assert str(error)
    assert str(error).isprintable()


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


ENTRANCES: Mapping[str, Callable[[bytes], None]] = {
    entrance.__name__: entrance
    for entrance in (
        *(frame, announcement, answer, mail, token, claims, body, path, record, heartbeat, environment, imap),
        *(mailbox, reply, soap, query),
    )
}
