"""Liveness, readiness, metrics."""

from types import SimpleNamespace

import flask
import pytest

from vault_salesforce_sidecar.doors import probes
from vault_salesforce_sidecar.metrics import Metrics


@pytest.fixture
def reasons():
    return []


@pytest.fixture
def client(reasons):
    metrics = Metrics()
    metrics.watch(in_hand=lambda: 2, ready=lambda: not reasons)
    metrics.logins.labels("refused").inc()
    app = flask.Flask("test")
    app.register_blueprint(
        probes.blueprint(SimpleNamespace(unready=lambda: reasons[0] if reasons else None, metrics=metrics))
    )
    return app.test_client()


def test_it_lives_whatever_the_matter(client, reasons):
    reasons.append("Vault is sealed")
    answer = client.get("/health/live")
    assert (answer.status_code, answer.json) == (200, {"live": True})


def test_it_is_ready_or_says_why_not(client, reasons):
    assert client.get("/health/ready").status_code == 200
    reasons.append("Vault is sealed")
    answer = client.get("/health/ready")
    assert (answer.status_code, answer.json) == (503, {"ready": False, "reason": "Vault is sealed"})


def test_metrics_are_read_as_text(client):
    text = client.get("/metrics").data.decode()
    assert "vault_salesforce_rotations_in_hand 2.0" in text
    assert 'vault_salesforce_logins_total{result="refused"} 1.0' in text
    assert "vault_salesforce_ready 1.0" in text
