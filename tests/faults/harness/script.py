"""Which calls of a round meet with what; asked by the relays for each call, from their own thread."""

import threading
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from faults.harness.calls import Call
from faults.harness.deeds import Deed


@dataclass(frozen=True)
class Aim:
    """A call that is aimed at: the nth of its name about its subject, counted from the round's begin."""

    subject: str
    call: str
    nth: int


@dataclass
class Moment:
    """A call that is held until somebody has acted.

    Attributes:
        after: It is held between the other side's answer and the caller, else before the other side hears of it.
        come: Set when it is held.
        acted: Set by who acted: it goes on.
    """

    after: bool
    come: threading.Event = field(default_factory=threading.Event)
    acted: threading.Event = field(default_factory=threading.Event)


class Script:
    """One round's calls."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._deeds: dict[Aim, Deed] = {}
        self._moments: dict[Aim, Moment] = {}
        self._seen: Counter[tuple[str, str]] = Counter()
        self.fired: dict[str, list[str]] = defaultdict(list)
        self.copies: Counter[str] = Counter()
        self.changes: Counter[str] = Counter()
        self._listening = False

    def begin(self, deeds: dict[Aim, Deed], moments: dict[Aim, Moment]) -> None:
        """Count anew, and do this from now on."""
        with self._lock:
            self._deeds, self._moments = dict(deeds), dict(moments)
            self._seen.clear()
            self.fired.clear()
            self.copies.clear()
            self.changes.clear()
            self._listening = True

    def heal(self) -> None:
        """Do nothing any more, and let go of what is held; go on counting."""
        with self._lock:
            self._deeds.clear()
            held, self._moments = list(self._moments.values()), {}
        for moment in held:
            moment.acted.set()

    def take(self, call: Call) -> tuple[Deed | None, Moment | None]:
        """What happens to a call."""
        if not call.subject:
            return None, None
        with self._lock:
            if not self._listening:
                return None, None
            key = (call.subject, call.name)
            self._seen[key] += 1
            if call.name == "change":
                self.changes[call.subject] += 1
            aim = Aim(call.subject, call.name, self._seen[key])
            deed, moment = self._deeds.pop(aim, None), self._moments.pop(aim, None)
            if deed is not None:
                self.fired[call.subject].append(f"{call.name} {aim.nth}: {deed.name}")
                if call.name in ("login", "change"):
                    self.copies[call.subject] += max(0, deed.reaches - 1)
        return deed, moment

    def in_flight(self, subject: str) -> bool:
        """Whether a rotation of this role has left its first mark in the journal, and not yet its last."""
        with self._lock:
            return bool(self._seen[subject, "journal.write"]) and not self._seen[subject, "history.write"]
