"""What may become of a call on its way, or of a whole line. PURE: names, numbers and the vendor's sentences."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Deed:
    """What a relay does with one call.

    Attributes:
        name: For people and for the count.
        reaches: How often the other side hears of it.
        answers: What comes back: `truth`, `nothing` (FIN), `reset` (RST), `silence`, `said` (see `status`), `earlier`.
        status, body: What is said in place of the truth.
        late_seconds: The other side hears of it so much later; the caller was told by then.
        slow_seconds: The truth takes so long.
    """

    name: str
    reaches: int = 1
    answers: str = "truth"
    status: int = 0
    body: str = ""
    late_seconds: float = 0.0
    slow_seconds: float = 0.0


def _errors(sentence: str) -> str:
    return f'{{"errors":["{sentence}"]}}'


_SOAP_500: Final = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" '
    'xmlns:sf="urn:fault.partner.soap.sforce.com"><soapenv:Body><soapenv:Fault>'
    "<faultcode>sf:UNKNOWN_EXCEPTION</faultcode>"
    "<faultstring>UNKNOWN_EXCEPTION: An unexpected error occurred.</faultstring>"
    "</soapenv:Fault></soapenv:Body></soapenv:Envelope>"
)
_PAGE: Final = "<html><head><title>503</title></head><body>We are down for maintenance.</body></html>"

# The same at both lines.
_ANYWHERE: Final = (
    Deed("cut before", reaches=0, answers="nothing"),
    Deed("reset before", reaches=0, answers="reset"),
    Deed("cut after", answers="nothing"),
    Deed("reset after", answers="reset"),
    Deed("late", answers="nothing", late_seconds=1.5),
    Deed("twice", reaches=2),
    Deed("twice, the second answer", reaches=2, answers="second"),
    Deed("slow", slow_seconds=2.0),
)
_SILENT: Final = (
    Deed("silent before", reaches=0, answers="silence"),
    Deed("silent after", answers="silence"),
)
# Source: OpenBao's sys/health and http/handler.go; the sentences are the server's own.
TO_VAULT: Final = (
    *_ANYWHERE,
    *_SILENT,
    Deed("429", reaches=0, answers="said", status=429, body=_errors("rate limit quota exceeded")),
    Deed("sealed", reaches=0, answers="said", status=503, body=_errors("Vault is sealed")),
    Deed(
        "standby",
        reaches=0,
        answers="said",
        status=500,
        body=_errors("local node not active but active cluster node not found"),
    ),
    Deed("502 of a load balancer", reaches=0, answers="said", status=502, body="<html>bad gateway</html>"),
    Deed("500 after", answers="said", status=500, body=_errors("internal error")),
    Deed("409", reaches=0, answers="said", status=409, body=_errors("conflict")),
)
STALE_READ: Final = Deed("stale read", reaches=0, answers="earlier")
TO_ORG: Final = (
    *_ANYWHERE,
    *_SILENT,
    Deed("503 page before", reaches=0, answers="said", status=503, body=_PAGE),
    Deed("500 after", answers="said", status=500, body=_SOAP_500),
    Deed("page after", answers="said", status=200, body=_PAGE),
)

# What a whole line does for a while.
LINE_MODES: Final = ("cut", "reset", "black hole", "half-open", "slow")
LINES: Final = ("sidecar to server", "server to sidecar", "sidecar to org")
