"""The log: valid JSON, and nothing secret in it."""

import gc
import io
import json
import logging
import sys
import threading

import pytest
import structlog

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar import log as logs
from vault_salesforce_sidecar.store import KvUnavailable


@pytest.fixture
def lines():
    """The log's lines so far, each read as JSON; the loggers are put back at the end."""
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.configure("debug", stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


def test_a_line_is_an_object_with_time_level_and_logger(lines):
    structlog.get_logger("some.module").info("happened", role="crm", version=3)
    (line,) = lines()
    assert {name: line[name] for name in ("event", "role", "version", "level", "logger")} == {
        "event": "happened",
        "role": "crm",
        "version": 3,
        "level": "info",
        "logger": "some.module",
    }
    assert line["timestamp"].endswith("Z")


def test_what_is_named_like_a_secret_has_no_value_at_any_depth(lines):
    structlog.get_logger("x").info(
        "e", password="p1", data={"security_token": "p2", "n": [{"client_secret": "p3"}]}, given=SecretStr("p4")
    )
    (line,) = lines()
    assert line["password"] == line["data"]["security_token"] == line["given"] == logs.REDACTED
    assert not any(f"p{number}" in json.dumps(line) for number in range(1, 5))


def test_a_name_that_only_speaks_of_secrets_keeps_its_value(lines):
    structlog.get_logger("x").info("e", token_state="live", password_expires="2030-01-01", security_token_from="none")
    (line,) = lines()
    assert (line["token_state"], line["security_token_from"]) == ("live", "none")


def test_the_standard_librarys_loggers_speak_the_same(lines):
    logging.getLogger("gunicorn.error").warning("worker %s left", 7)
    (line,) = lines()
    assert (line["event"], line["level"]) == ("worker 7 left", "warning")


def test_libraries_that_print_whole_requests_never_do(lines):
    for name in ("urllib3.connectionpool", "zeep.transports", "hvac.adapters"):
        logging.getLogger(name).debug("POST with everything")
    assert lines() == []


def test_an_exception_is_one_line_with_the_text_that_is_ours_or_the_systems_and_nobody_elses(lines):
    given = "A-given-password-1"
    for raised in (KvUnavailable("Vault is sealed"), FileNotFoundError(2, "No such file", "/a"), ValueError(given)):
        try:
            try:
                int(given)
            except ValueError as exc:
                raise raised from exc
        except Exception:
            structlog.get_logger("x").exception("failed")
            logging.getLogger("gunicorn.error").exception("failed")
    told = [line["exception"] for line in lines()]
    assert len(told) == 6
    ends = ["KvUnavailable: Vault is sealed", "FileNotFoundError: [Errno 2] No such file: '/a'", "builtins.ValueError"]
    assert [text.splitlines()[-1] for text in told] == [end for end in ends for _ in range(2)]
    for text in told:
        assert "builtins.ValueError\n" in text, "what led to it comes first"
        assert __file__ in text
    assert "A-given" not in json.dumps(lines())


def test_causes_that_bite_their_tail_end(lines):
    first, second = ValueError(), KeyError()
    first.__cause__, second.__cause__ = second, first
    structlog.get_logger("x").error("failed", exc_info=first)
    (line,) = lines()
    assert line["exception"].splitlines()[1::2] == ["builtins.KeyError", "builtins.ValueError"]


def test_an_error_that_is_told_from_outside_its_handler_is_told_too(lines):
    """As what an unexpected fault of a request is."""
    structlog.get_logger("x").error("unexpected", exc_info=RuntimeError("A-given-password-1"))
    (line,) = lines()
    assert line["exception"].splitlines()[1:] == ["builtins.RuntimeError"]


def test_a_traceback_names_functions_and_lines_and_no_value_that_they_held(lines):
    def holds(password, given):
        body = {"password": password, "token": given}
        try:
            int(given)
        except TypeError as exc:
            raise RuntimeError("the answer could not be read") from exc
        return body

    password, given = "A-local-password-1", SecretStr("A-given-token-1")
    try:
        holds(password, given)
    except RuntimeError:
        structlog.get_logger("x").exception("failed")
        logging.getLogger("gunicorn.error").exception("failed")
    for line in lines():
        assert "in holds" in line["exception"]
        assert "TypeError" in line["exception"]
        assert "A-local" not in json.dumps(line)
        assert "A-given" not in json.dumps(line)


def test_what_nobody_caught_is_a_line_of_the_log_too(lines, monkeypatch, capfd):
    for where, name in ((sys, "excepthook"), (threading, "excepthook"), (sys, "unraisablehook")):
        monkeypatch.setattr(where, name, None)
    logs.hear_the_unheard()

    class Ends:
        def __del__(self):
            raise ValueError(given)

    def fail():
        int(given)

    given = "A-given-password-1"
    try:
        fail()
    except ValueError:
        sys.excepthook(*sys.exc_info())
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    Ends()
    gc.collect()
    told = lines()
    assert [line["event"] for line in told] == ["unexpected"] * 3
    assert all(line["exception"].endswith("builtins.ValueError") for line in told)
    assert given not in json.dumps(told) + "".join(capfd.readouterr())
