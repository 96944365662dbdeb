"""Requests made from the engine's own OpenAPI document, through the signed door: right or wrong, none is our fault."""

import contextlib
import json
import os
import time
from io import BytesIO
from types import SimpleNamespace
from urllib.parse import parse_qsl

import jwt
import pytest
import schemathesis
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

from vault_plugin_sdk.framework.openapi import Documented, document
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation
from vault_salesforce_contract import api
from vault_salesforce_contract.forwarding import ALGORITHM, LIFETIME_SECONDS, Claims, body_digest
from vault_salesforce_sidecar.doors.app import create_app
from vault_salesforce_sidecar.metrics import Metrics
from vault_salesforce_sidecar.paths import PATHS
from vault_salesforce_sidecar.vault.register import Trust

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "2"))  # of each operation, right and wrong ones each
OPERATIONS = {"POST": Operation.UPDATE, "GET": Operation.READ, "DELETE": Operation.DELETE, "PATCH": Operation.PATCH}
SIDECARS = [one for one in api.TABLE if one not in api.PLUGIN_PATHS]
DOCUMENT = document([Documented(path.description, path.operations) for path in PATHS], title="The sidecar's paths")
NEVER = {"Traceback", "object at 0x", "vault_salesforce_", "hunter2"}


def nobody(*_args, **_options):
    raise CallerError("there is no such role", status=404)


@pytest.fixture
def served(engine):
    """The engine, as far as the doors ask for it."""
    key = Ed25519PrivateKey.generate()
    engine.registrar = SimpleNamespace(trust=Trust("acc", key.public_key()), soon=lambda: None, refresh=lambda _: None)
    engine.settings.instance = "one"
    engine.metrics = Metrics()
    engine.require_up = lambda: None
    engine.diagnosis = SimpleNamespace(of_role=nobody, of_connection=nobody)
    engine.revealing = SimpleNamespace(reveal=nobody)
    engine.renaming = SimpleNamespace(follow=nobody)
    return signing(create_app(engine).wsgi_app, key)


def signing(app, key):
    """As the plugin passes a request on: its parameters are its body, and its claims are signed."""

    def passed_on(environ, start_response):
        if environ["PATH_INFO"] == "/openapi.json":
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(DOCUMENT).encode()]
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/").encode("latin-1").decode()
        operation, content = OPERATIONS[method], environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        if method in ("GET", "DELETE"):
            given = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
            operation = Operation.LIST if given.pop("list", "") else operation
            content = json.dumps(given).encode() if given else b""
        now = int(time.time())
        claims = Claims(
            *("acc", "one", os.urandom(8).hex(), now, now + LIFETIME_SECONDS, operation, path, body_digest(content)),
            Caller("request", "ann", "entity", "accessor", "10.0.0.9"),
        )
        signed = jwt.encode(claims.to_payload(), key, ALGORITHM)
        passed = {"PATH_INFO": "/v1" + environ["PATH_INFO"], "QUERY_STRING": "", "CONTENT_LENGTH": str(len(content))}
        passed |= {"wsgi.input": BytesIO(content), "HTTP_AUTHORIZATION": f"Bearer {signed}"}
        return app(environ | passed, start_response)

    return passed_on


def test_the_document_is_of_every_path_of_the_sidecars():
    assert len(DOCUMENT["paths"]) >= len(SIDECARS)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
def test_what_the_document_allows_or_forbids_is_answered_and_is_never_our_fault(served, mode):
    schema = schemathesis.openapi.from_wsgi("/openapi.json", served)
    seen = set()

    def ask(case):
        answer = case.call()
        seen.add(answer.status_code)
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        assert answer.status_code != 401  # the signature was good
        assert answer.status_code == 204 or isinstance(answer.json(), dict)
        assert not [word for word in NEVER if word in answer.text]

    with structlog.testing.capture_logs() as logged:
        for result in schema.get_all_operations():
            made = given(case=result.ok().as_strategy(generation_mode=mode))
            checks = list(HealthCheck)
            with contextlib.suppress(Unsatisfiable):  # a path without parameters cannot be asked wrongly
                settings(max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=checks)(made(ask))()
    assert {line["log_level"] for line in logged} <= {"info", "warning"}
    assert seen & {200, 204} if mode is GenerationMode.POSITIVE else seen & {400, 404, 405}
