"""The plugin has news."""

from types import SimpleNamespace

import flask

from vault_salesforce_sidecar.doors import wake


def test_it_asks_for_a_heartbeat_and_says_nothing(registrar):
    app = flask.Flask("test")
    app.register_blueprint(wake.blueprint(SimpleNamespace(registrar=registrar)))
    client = app.test_client()
    answer = client.post("/wake")
    assert (answer.status_code, answer.data, registrar.woken) == (204, b"", 1)
    assert client.get("/wake").status_code == 405
