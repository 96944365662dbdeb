"""Answers that no client should choke on: each is made of a good one, or in place of it."""

import json
import struct
import zlib
from collections.abc import Iterator

from flask import Response

from .faults import UNAVAILABLE_PAGE
from .misbehave import Setting
from .stopping import Stopping

_CHUNK = 64 * 1024
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03"
_LAUGHS = 20


def spoil(response: Response, knob: str, setting: Setting, stopping: Stopping) -> Response:
    """Spoil an answer.

    Args:
        response: The good answer; an empty one stands for none.
        knob: Which of the knobs of `knobs.SPOILERS`.
        setting: How it is set.
        stopping: Ends what takes long.
    """
    match knob:
        case "answer_html":
            return Response(UNAVAILABLE_PAGE, 200, mimetype="text/html")
        case "answer_malformed":
            broken = '[{"message": "' if _is_json(response) else '<?xml version="1.0"?><e:Envelope><e:Body'
            response.set_data(broken)
        case "answer_truncated":
            whole = response.get_data()
            response.set_data(whole[: len(whole) // 2])
        case "answer_gigantic":
            return _streamed(response, _gigantic(response, int(setting.number("bytes")), stopping))
        case "answer_drip_seconds":
            return _streamed(response, _drip(response.get_data(), setting.number("seconds"), stopping))
        case "answer_wrong_length":
            extra = int(setting.number("extra"))
            response.headers["Content-Length"] = str(len(response.get_data()) + extra)
        case "answer_redirect":
            headers = {"Location": setting.text("url")}
            return Response("", int(setting.number("status")), headers)
        case "answer_gzip_bomb":
            bomb = _streamed(response, _gzip_bomb(int(setting.number("bytes")), stopping))
            bomb.headers["Content-Encoding"] = "gzip"
            return bomb
        case "answer_deep":
            levels = int(setting.number("levels"))
            deep = "[" * levels + "]" * levels if _is_json(response) else "<a>" * levels + "</a>" * levels
            response.set_data(deep)
        case _:
            response.set_data(_doctype())
            response.headers["Content-Type"] = "text/xml; charset=UTF-8"
    return response


def _is_json(response: Response) -> bool:
    return response.mimetype == "application/json"


def _streamed(response: Response, body: Iterator[bytes]) -> Response:
    # A body that is made as it is sent has no length, and goes in chunks.
    return Response(body, response.status_code, content_type=response.content_type)


def _gigantic(response: Response, size: int, stopping: Stopping) -> Iterator[bytes]:
    # The answer begins as a good one does, and goes on for ever inside a text.
    start = json.dumps({"records": ""})[:-2].encode() if _is_json(response) else b"<?xml version='1.0'?><a>"
    yield start
    for _ in range(size // _CHUNK + 1):
        if stopping.wait(0):
            return
        yield b"A" * _CHUNK


def _drip(body: bytes, seconds: float, stopping: Stopping) -> Iterator[bytes]:
    for place in range(len(body)):
        if stopping.wait(seconds):
            return
        yield body[place : place + 1]


def _gzip_bomb(size: int, stopping: Stopping) -> Iterator[bytes]:
    chunk = b" " * (1 << 20)
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    # Each piece stands alone after a full flush, so one is packed and sent again and again.
    first = packer.compress(chunk) + packer.flush(zlib.Z_FULL_FLUSH)
    checksum, sent = 0, 0
    yield _GZIP_HEADER
    while sent < size:
        if stopping.wait(0):
            return
        yield first
        checksum = zlib.crc32(chunk, checksum)
        sent += len(chunk)
    yield zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS).flush()
    yield struct.pack("<II", checksum, sent & 0xFFFFFFFF)


def _doctype() -> str:
    entities = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, _LAUGHS))
    return f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY l0 "ha">{entities}]><a>&l{_LAUGHS - 1};</a>'
