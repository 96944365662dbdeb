"""What Prometheus is told; never a label per account or role, which a scrape would pay for."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """Counters of one engine, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.rotations = Counter(
            "vault_salesforce_rotations",
            "Rotations that came to rest, by outcome.",
            ["outcome"],
            registry=self._registry,
        )
        self.logins = Counter(
            "vault_salesforce_logins",
            "Logins at Salesforce with a user's password, by result.",
            ["result"],
            registry=self._registry,
        )
        self.requests = Counter(
            "vault_salesforce_requests", "Requests of the plugin, by status.", ["status"], registry=self._registry
        )
        self._in_hand = Gauge(
            "vault_salesforce_rotations_in_hand", "Rotations under way here.", registry=self._registry
        )
        self._ready = Gauge("vault_salesforce_ready", "1 while requests are answered.", registry=self._registry)

    def watch(self, *, in_hand: Callable[[], int], ready: Callable[[], bool]) -> None:
        """Ask these at each scrape."""
        self._in_hand.set_function(in_hand)
        self._ready.set_function(lambda: float(ready()))

    def text(self) -> bytes:
        """The answer to a scrape."""
        return generate_latest(self._registry)
