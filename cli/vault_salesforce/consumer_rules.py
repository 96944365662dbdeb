"""What the programs that read credentials from Vault need an answer to be like, a rule each. PURE.

Sources: consul-template's `leaseCheckWait` for the agents, the controllers of the two operators for Kubernetes.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

AGENT, VSO, ESO, KV = "Agent", "Vault Secrets Operator", "External Secrets Operator", "KV"
# What the Vault Secrets Operator leaves out when it looks whether a credential is another one.
VOLATILE = frozenset({"ttl", "rotation_period", "rotation_schedule", "last_vault_rotation"})
_KUBERNETES_KEY = re.compile(r"[-._a-zA-Z0-9]{1,253}")


@dataclass(frozen=True)
class Reading:
    """One answer to a read.

    Attributes:
        data: The credential's fields.
        lease_id: Empty where there is no lease.
        lease_seconds: Length of the lease.
        metadata: KV v2's own, where it is from a KV v2 mount.
    """

    data: Mapping[str, Any] = field(repr=False)
    lease_id: str = ""
    lease_seconds: int = 0
    metadata: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> "Reading":
        """From the body of Vault's answer. Raises: ValueError: it holds no credential."""
        data, metadata = body.get("data"), None
        if isinstance(data, dict) and data.keys() == {"data", "metadata"}:
            data, metadata = data["data"], data["metadata"]
        if not isinstance(data, dict) or not data:
            raise ValueError("the answer holds no data")
        return cls(data, str(body.get("lease_id") or ""), int(body.get("lease_duration") or 0), metadata)

    @property
    def identity(self) -> Any:
        """What tells one credential from the next."""
        return self.data.get("version", self.data.get("last_vault_rotation"))

    @property
    def credential(self) -> dict[str, Any]:
        """What may only change together with the credential."""
        return {name: value for name, value in self.data.items() if name not in VOLATILE}


Fault = str | None  # what was seen instead: names and kinds of fields, never their values


@dataclass(frozen=True)
class Rule:
    """What `reader` needs.

    Attributes:
        alone: Looks at one reading.
        after: Looks at a reading and the one after it.
    """

    reader: str
    sentence: str
    alone: Callable[[Reading], Fault] | None = None
    after: Callable[[Reading, Reading], Fault] | None = None


@dataclass(frozen=True)
class Finding:
    """A rule, and how the readings broke it; None where they kept it."""

    rule: Rule
    fault: Fault


def judge(readings: Sequence[Reading]) -> list[Finding]:
    """Every rule, with the first fault against it."""
    return [Finding(rule, next(_faults(rule, readings), None)) for rule in RULES]


def _faults(rule: Rule, readings: Sequence[Reading]) -> Iterator[str]:
    found = [rule.alone(reading) for reading in readings] if rule.alone else []
    found += [rule.after(*pair) for pair in pairwise(readings)] if rule.after else []
    yield from filter(None, found)


def _whole_number(name: str) -> Callable[[Reading], Fault]:
    def look(reading: Reading) -> Fault:
        value = reading.data.get(name, 0)
        # A bool is an int to Python alone.
        return None if type(value) is int else f"{name} is a {type(value).__name__}"

    return look


def _hints_together(reading: Reading) -> Fault:
    given = [name for name in ("ttl", "rotation_period") if name in reading.data]
    return f"{given[0]} stands alone" if len(given) == 1 else None


def _hints_without_lease(reading: Reading) -> Fault:
    return "a lease and a ttl of its own" if reading.lease_id and "ttl" in reading.data else None


def _ttl_left(reading: Reading) -> Fault:
    ttl = reading.data.get("ttl")
    return "ttl is not above 0" if type(ttl) is int and ttl <= 0 else None


def _nothing_missing(reading: Reading) -> Fault:
    missing = sorted(name for name, value in reading.data.items() if value is None)
    return f"null: {', '.join(missing)}" if missing else None


def _lease_lasts(reading: Reading) -> Fault:
    return "a lease of no length" if reading.lease_id and reading.lease_seconds <= 0 else None


def _rotation_time(reading: Reading) -> Fault:
    value = reading.data.get("last_vault_rotation")
    if value is None:
        return None
    if not isinstance(value, str):
        return f"last_vault_rotation is a {type(value).__name__}"
    return None if _time(value) else "last_vault_rotation is no time of RFC 3339"


def _recognised(reading: Reading) -> Fault:
    if "ttl" not in reading.data:
        return None
    if "last_vault_rotation" not in reading.data:
        return "ttl without last_vault_rotation"
    period = reading.data.get("rotation_period")
    known = (type(period) is int and period >= 1) or bool(reading.data.get("rotation_schedule"))
    return None if known else "ttl without a rotation_period of at least 1 or a rotation_schedule"


def _steady(earlier: Reading, later: Reading) -> Fault:
    if earlier.identity != later.identity:
        return None
    names = earlier.data.keys() | later.data.keys()
    varies = sorted(name for name in names - VOLATILE if earlier.data.get(name) != later.data.get(name))
    return f"changed within one version: {', '.join(varies)}" if varies else None


def _time_moves(earlier: Reading, later: Reading) -> Fault:
    before, after = (_time(reading.data.get("last_vault_rotation")) for reading in (earlier, later))
    if before is None or after is None:
        return None
    if earlier.credential == later.credential:
        return None if before == after else "last_vault_rotation moved without a new credential"
    moved = int(after.timestamp()) > int(before.timestamp())
    return None if moved else "a new credential in the same second as the one before"


def _ttl_falls(earlier: Reading, later: Reading) -> Fault:
    before, after = earlier.data.get("ttl"), later.data.get("ttl")
    if type(before) is not int or type(after) is not int or earlier.credential != later.credential:
        return None
    return "ttl rose without a new credential" if after > before else None


def _kubernetes_keys(reading: Reading) -> Fault:
    wrong = sorted(name for name in reading.data if not _KUBERNETES_KEY.fullmatch(name))
    return f"no key of a Secret: {', '.join(wrong)}" if wrong else None


def _flat(reading: Reading) -> Fault:
    nested = sorted(name for name, value in reading.data.items() if isinstance(value, dict | list))
    return f"not one value: {', '.join(nested)}" if nested else None


def _kept(reading: Reading) -> Fault:
    if reading.metadata is None:
        return None
    gone = reading.metadata.get("destroyed") or reading.metadata.get("deletion_time")
    return "the version is deleted, or will be" if gone else None


def _versions_agree(earlier: Reading, later: Reading) -> Fault:
    if earlier.metadata is None or later.metadata is None:
        return None
    same = earlier.metadata.get("version") == later.metadata.get("version")
    return "one version with two contents" if same and earlier.data != later.data else None


def _time(value: Any) -> datetime | None:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return parsed if parsed.tzinfo and "T" in value else None


RULES = (
    Rule(AGENT, "no field is null: it would be rendered as <no value>", _nothing_missing),
    Rule(AGENT, "ttl is a whole number: a text crashes it, a fraction makes it wait 5 minutes", _whole_number("ttl")),
    Rule(AGENT, "ttl and rotation_period come together, or it waits 5 minutes", _hints_together),
    Rule(AGENT, "ttl is above 0: at 0 it reads every second, or gives up", _ttl_left),
    Rule(AGENT, "an answer with a lease has no ttl of its own", _hints_without_lease),
    Rule(AGENT, "a lease has a length", _lease_lasts),
    Rule(AGENT, "nothing but ttl changes within a version: every field is rendered", after=_steady),
    Rule(VSO, "last_vault_rotation is a text, a time of RFC 3339 with its zone", _rotation_time),
    Rule(VSO, "rotation_period is a whole number", _whole_number("rotation_period")),
    Rule(VSO, "ttl comes with what tells a static credential", _recognised),
    Rule(VSO, "last_vault_rotation moves on, by seconds, with each credential and only then", after=_time_moves),
    Rule(VSO, "ttl falls until there is a new credential", after=_ttl_falls),
    Rule(ESO, "every name can be a key of a Kubernetes Secret", _kubernetes_keys),
    Rule(ESO, "every value is one text, number or boolean", _flat),
    Rule(KV, "the newest version is neither deleted nor going to be", _kept),
    Rule(KV, "a version has one content", after=_versions_agree),
)
