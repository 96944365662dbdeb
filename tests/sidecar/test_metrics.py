"""What Prometheus is told."""

from vault_salesforce_sidecar.metrics import Metrics


def test_two_engines_count_apart_and_are_asked_at_each_scrape():
    one, two, in_hand = Metrics(), Metrics(), [0]
    for metrics in (one, two):
        metrics.watch(in_hand=lambda: in_hand[0], ready=lambda: False)
    one.rotations.labels("settled").inc()
    in_hand[0] = 3
    assert 'vault_salesforce_rotations_total{outcome="settled"} 1.0' in one.text().decode()
    assert "settled" not in two.text().decode()
    assert "vault_salesforce_rotations_in_hand 3.0" in two.text().decode()
    assert "vault_salesforce_ready 0.0" in two.text().decode()
