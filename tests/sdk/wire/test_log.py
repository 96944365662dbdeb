"""The log writer: whatever is said, what comes out are objects that the host can take."""

import json
import logging
import os
import re
from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_plugin_sdk.wire.log import LogWriter, describe_exception, log_line

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def lines():
    """A logger that writes through a LogWriter, and a way to read what came out."""
    read_end, write_end = os.pipe()
    logger = logging.getLogger("engine")
    writer = LogWriter(write_end)
    logger.addHandler(writer)
    logger.propagate = False

    def read() -> list[dict]:
        return [json.loads(line) for line in os.read(read_end, 1_000_000).splitlines()]

    yield logger, read
    logger.removeHandler(writer)
    os.close(read_end)
    os.close(write_end)


def test_a_line_has_the_four_keys_and_the_fields():
    line = log_line(NOON, "info", "engine", "rotated", {"role": "crm", "version": 3})

    assert line.endswith(b"\n")
    assert json.loads(line) == {
        "@level": "info",
        "@message": "rotated",
        "@module": "engine",
        "@timestamp": "2026-11-21T12:00:00.000000Z",
        "role": "crm",
        "version": 3,
    }


def test_no_field_can_replace_a_key_that_the_host_casts():
    fields = {"@message": 5, "@level": {}, "@timestamp": [], "@module": None}

    line = json.loads(log_line(NOON, "warn", "engine", "text", fields))

    assert {name: type(value) for name, value in line.items()} == dict.fromkeys(fields, str)


@pytest.mark.parametrize("text", ["two\nlines\r\n", "nul \x00", "é" * 80_000, "\U0001f511" * 80_000, "\ud800", ""])
def test_any_text_becomes_one_line_below_64_kib(text):
    line = log_line(NOON, "error", "m" * 70_000, text, {"more": text, "s" * 70_000: text})

    assert line.count(b"\n") == 1
    assert len(line) < 65_536
    assert isinstance(json.loads(line)["@message"], str)


def test_fields_that_json_does_not_know_are_written_as_text():
    fields = {"nan": float("nan"), "secret": SecretStr("hunter2"), "deep": {"@message": 1}, "none": None}

    line = log_line(NOON, "info", "engine", "text", fields)

    assert b"hunter2" not in line
    assert json.loads(line)["nan"] == "nan"
    assert json.loads(line)["deep"] == "{'@message': 1}"


def test_records_of_the_standard_library_keep_level_name_and_extra(lines):
    logger, read = lines

    logger.warning("role %s is due", "crm", extra={"cause": "schedule"})
    logger.critical("gone")

    due, gone = read()
    assert (due["@level"], due["@module"], due["@message"], due["cause"]) == (
        "warn",
        "engine",
        "role crm is due",
        "schedule",
    )
    assert gone["@level"] == "error"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", gone["@timestamp"])
    assert set(gone) == {"@level", "@module", "@message", "@timestamp"}


def test_arguments_that_do_not_fit_the_text_do_not_lose_it(lines):
    logger, read = lines

    logger.handlers[0].emit(logging.makeLogRecord({"levelno": 30, "msg": "%s and %s", "args": ("one",)}))

    assert read()[0]["@message"] == "%s and %s"


def test_an_exception_is_logged_by_type_and_place_never_by_its_text(lines):
    logger, read = lines

    try:
        try:
            int("hunter2")
        except ValueError as exc:
            raise KeyError("hunter2") from exc
    except KeyError:
        logger.exception("it broke")

    (line,) = read()
    assert line["error_type"] == "builtins.KeyError from builtins.ValueError"
    assert "test_log.py" in line["trace"]
    assert "hunter2" not in json.dumps(line)


def test_a_chain_of_causes_that_bites_its_tail_ends():
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first

    assert describe_exception(first)["error_type"] == "builtins.ValueError from builtins.KeyError"


def test_a_host_that_has_gone_is_not_told():
    read_end, write_end = os.pipe()
    os.close(read_end)

    LogWriter(write_end).write("info", "engine", "anyone?")

    os.close(write_end)
