"""The world that a rotation must survive, as a model: an org, Vault's KV, the plugin's copy, people, crashes, messages
lost and late. It drives the product's own table; passwords are letters and tokens numbers, for the table only compares.

What is modelled, what is assumed. A replica has no state of its own but the call that it is about to make and, perhaps,
a session of the user (gone with the process). So a holder that sleeps through its time and a message that arrives late
are the same thing: a call in `World.late` that takes effect at any later time, or never, while somebody else goes on
(RESUMED). No clock is needed for safety. What a deposed holder writes to the entry changes nothing, since each such
write is check-and-set and the version numbers never start again: so it is no transition here. Assumed: nothing is later
than the time for which earlier passwords are kept; KV is linearizable; nobody else sets our random candidate.
"""

from collections.abc import Callable
from typing import NamedTuple

from vault_salesforce_sidecar.rotation import machine
from vault_salesforce_sidecar.rotation.budget import RESERVE, may_log_in
from vault_salesforce_sidecar.rotation.machine import (
    FREE,
    REST,
    Change,
    Entry,
    Event,
    LogIn,
    Put,
    ReadRecord,
    Request,
    Reset,
    Secret,
    State,
)


class Org(NamedTuple):
    """The settings of one exploration."""

    self_managed: bool  # changeOwnPassword inside a session of the user; else an admin's unconditional set
    token: str  # trusted: none needed; needed; surprise: needed, but the role says it is not
    limit: int  # failed logins that lock
    history: bool = True  # a password used before is refused ("invalid repeated password")
    plugin: bool = False  # follow the plugin's copy too
    calm: bool = False  # nothing but crashes and lost messages
    app: bool = False  # sessions of the user are to be had without their password
    admin: bool = False  # an administrator may set, or reset, what the user otherwise changes


class World(NamedTuple):
    live: str  # the password that Salesforce takes
    entry: Entry
    kv: Secret
    used: frozenset = frozenset("O")  # the org's password history
    generation: int = 0  # of the security token; each change of password starts a new one
    fails: int = 0  # failed logins in a row, as the org counts
    unseen: int = 0  # of these, the ones that nobody could have charged
    version: int = 1  # KV version
    ours: bool = True  # and whether we wrote it
    versions: frozenset = frozenset("O")  # passwords in KV's versions
    plugin: int = 1  # the version that the plugin serves
    late: tuple = ()  # calls that take effect at any later time, or never
    session: bool = False  # the holder has one of the user's own; gone with the process
    moved: bool = False  # the record of the last change, against the value noted in this round
    drift: bool = False  # and against the value at the last proof
    proof: Secret | None = None  # what was last taken as proven
    rotations: int = 0
    resets: int = 0  # so many temporary passwords were made
    heard: frozenset = frozenset()  # of these, the ones whose answer came
    faults: int = 0  # how many more may happen
    asks: int = 0
    broken: str = ""  # a promise broken by the step that led here


class Rules(NamedTuple):
    """What a test may take away."""

    step: Callable = machine.step
    ask: Callable = machine.ask
    reserve: int = RESERVE
    charge_first: bool = True
    mark_twice: bool = True
    close_by_cas: bool = True
    numbers_go_on: bool = True
    put_by_cas: bool = True
    delete_moves_version: bool = True
    plugin_refuses_older: bool = True
    push_until_equal: bool = True


class Push(NamedTuple):
    version: int


class Delete(NamedTuple):
    """A late removal of the journal, by a holder that does not close by check-and-set."""


class Journal(NamedTuple):
    """A late write of the journal, by a holder whose check-and-set matches again."""

    rotation: int
    entry: Entry


def changed(w: World, password: str) -> World:
    """Somebody's change of password took effect."""
    return w._replace(live=password, used=w.used | {password}, generation=w.generation + 1, moved=True, drift=True)


def say(call) -> str:
    return f"{type(call).__name__}({', '.join(str(x).replace('Secret', '') for x in call)})"


class Physics:
    """How the world moves on: every order of the holder's calls, of accidents and of people."""

    def __init__(self, org: Org, rules: Rules) -> None:
        self.org, self.rules = org, rules

    def start(self, faults: int, asks: int) -> World:
        secret = Secret("O", None if self.org.token == "surprise" else 0)
        entry = Entry(State.SETTLED, secret, 0, wants_token=self.org.token == "needed")
        return World("O", entry, secret, faults=faults, asks=asks)

    def failed(self, w: World, *, by_us: bool, seen: bool) -> World:
        """One failed login. A lock is our doing if our call is the last drop and no more is unseen than we reserve."""
        limit = self.org.limit
        if w.fails == limit:
            return w
        w = w._replace(fails=w.fails + 1, unseen=w.unseen + (not seen))
        ours = by_us and w.fails == limit and w.unseen <= RESERVE
        return w._replace(broken="3 no lockout by us") if ours else w

    def apply(self, w: World, call, *, seen: bool = True):  # noqa: C901 - one case per call
        """The call's effect: (world, event, whether the org counts it as a failed login)."""
        org = self.org
        match call:
            case LogIn(secret):
                right = secret.password == w.live and w.fails < org.limit
                if right and (org.token == "trusted" or secret.token == w.generation):
                    return w._replace(fails=0, unseen=0), Event.DONE, False
                tokenless = right and secret.token is None
                return self.failed(w, by_us=True, seen=seen), Event.TOKEN_NEEDED if tokenless else Event.REFUSED, True
            case ReadRecord():
                return w, Event.REFUSED if w.moved else Event.DONE, False
            case Reset():
                reset = changed(w, f"T{w.resets}")._replace(resets=w.resets + 1, fails=0, unseen=0)
                return reset, Event.DONE, False
            case Change(old, _) if old not in (None, w.live):  # INVALID_OLD_PASSWORD: may count, so it does
                told = Event.OLD_REFUSED if org.app else Event.REFUSED
                return self.failed(w, by_us=True, seen=seen), told, True
            case Change(_, new) if new == w.live or (org.history and new in w.used):  # invalid repeated password
                return w, Event.REFUSED, False
            case Change(_, new):
                return changed(w, new), Event.DONE, False
            case Put(_, secret) if secret == w.kv:
                return w, Event.DONE, False
            case Put(base, _) if base != w.version and self.rules.put_by_cas:
                return w, Event.REFUSED, False
            case Put(base, secret):
                return self.put(w, base, secret), Event.DONE, False
            case Push(version) if version < w.plugin and not self.rules.plugin_refuses_older:
                return w._replace(plugin=version, broken="7 the plugin never goes back"), Event.DONE, False
            case Push(version):
                return w._replace(plugin=max(version, w.plugin)), Event.DONE, False
        raise AssertionError(call)

    def put(self, w: World, base: int, secret: Secret) -> World:
        # From a trusted address a login proves the password alone, so no token may be published with it.
        proven = w.proof == secret and not (self.org.token == "trusted" and secret.token is not None)
        broken = w.broken
        if not proven or w.entry.state is State.DELETED:
            broken = "2 only what is proven is published"
        elif base != w.version:
            broken = "8 nobody's version is overwritten"
        versions = w.versions | {secret.password}
        return w._replace(kv=secret, version=w.version + 1, ours=True, broken=broken, versions=versions)

    def record(self, w: World, call, event: Event, *, counts: bool = False) -> World:  # noqa: C901 - one case per call
        """The holder writes the outcome into the entry, in one write: the attempt budget and the next state."""
        e, charges, rules = w.entry, w.entry.charges, self.rules
        match call, event:
            case LogIn(), Event.DONE:
                charges = 0
            case LogIn(), Event.BLOCKED:  # does not count: the charge is taken back
                charges -= rules.charge_first
            case LogIn(), (Event.REFUSED | Event.TOKEN_NEEDED) if not rules.charge_first:
                charges += 1
            case Change(), (Event.DONE | Event.REFUSED) if self.judges(call):
                charges -= rules.charge_first
            case Change(), Event.OLD_REFUSED if not rules.charge_first:
                charges += 1
            case Change(), Event.REFUSED if counts:
                charges += 1
        if isinstance(call, Reset) and event is Event.DONE:
            e, w = e._replace(current=Secret(w.live)), w._replace(heard=w.heard | {w.live})
        after = rules.step(e._replace(charges=charges), event)
        if event is Event.DONE and e.state is State.CHECKING and not e.resets:
            if not e.marked:
                w = w._replace(moved=False, drift=w.drift and rules.mark_twice)
            if isinstance(call, LogIn):
                w = w._replace(session=self.org.self_managed)
        if after.state is State.PUBLISHING and e.state is not State.PUBLISHING:
            # The record is read anew just before that login.
            w = w._replace(proof=after.given or after.candidate, drift=False)
        return w._replace(entry=after, session=w.session and after.state not in REST)

    def judges(self, call) -> bool:
        """Whether this change is the first to tell if `current` is live: it counts as a login does."""
        return self.org.app and isinstance(call, Change) and call.old is not None

    def act(self, w: World):  # noqa: C901, PLR0912 - every way in which one call can go
        """Every way in which the holder's next call can go: (what happened, world)."""
        e, org, rules = w.entry, self.org, self.rules
        if e.state in REST:
            return
        call = machine.command(e, org.self_managed, w.session or org.app or not org.self_managed)
        name = f"{e.state.name}: {say(call)}"
        if isinstance(call, ReadRecord) and not e.marked:
            w = w._replace(moved=False)
        if isinstance(call, LogIn) or self.judges(call):
            if not may_log_in(e.charges, org.limit, rules.reserve):
                yield f"{name}: not made, no attempts left", self.record(w, None, Event.NO_BUDGET)
                return
            w = w._replace(entry=e._replace(charges=e.charges + rules.charge_first))  # durable before it is sent
        after, event, counts = self.apply(w, call)
        pushed = after._replace(plugin=after.version) if isinstance(call, Put) and not rules.push_until_equal else after
        yield f"{name}: {event.name}", self.record(pushed, call, event, counts=counts)
        if w.faults == 0:
            return
        w = w._replace(faults=w.faults - 1)
        unsaid = self.apply(w, call, seen=not isinstance(call, Change))[0]  # it happens and nobody hears of it
        killed, unsaid_killed = w._replace(session=False), unsaid._replace(session=False)
        yield f"{name}: holder killed before", self.record(killed, call, Event.RESUMED)
        if isinstance(call, ReadRecord):
            return
        asleep = killed._replace(late=tuple(sorted((*w.late, call), key=repr)))
        yield f"{name}: took effect, holder killed", self.record(unsaid_killed, call, Event.RESUMED)
        yield f"{name}: holder sleeps before, another takes over", self.record(asleep, call, Event.RESUMED)
        if not rules.numbers_go_on:
            write = Journal(w.rotations, self.record(after, call, event, counts=counts).entry)
            sleeper = unsaid_killed._replace(late=(*w.late, write))
            yield f"{name}: {event.name}, holder sleeps before it writes so", self.record(sleeper, call, Event.RESUMED)
        if isinstance(call, Put) and event is Event.DONE and not rules.close_by_cas:
            sleeper = unsaid_killed._replace(late=(*w.late, Delete()))
            yield f"{name}: holder sleeps before it deletes the journal", self.record(sleeper, call, Event.RESUMED)
        if isinstance(call, (Change, Reset)):
            yield f"{name}: took effect, reply lost", self.record(unsaid, call, Event.LOST)
            late = asleep._replace(session=w.session)
            yield f"{name}: no reply, lands late or never", self.record(late, call, Event.LOST)
        if org.calm:
            return
        if isinstance(call, Change):
            yield f"{name}: refused by policy", self.record(w, call, Event.REFUSED)
            yield f"{name}: took effect, a copy of it refused", self.record(unsaid, call, Event.REFUSED)
        if isinstance(call, LogIn):
            yield f"{name}: BLOCKED", self.record(w, call, Event.BLOCKED)
            if event is Event.DONE:
                yield f"{name}: REFUSED for no reason", self.record(w, call, Event.REFUSED)
        if isinstance(call, Put) and not rules.push_until_equal:
            yield f"{name}: {event.name}, the plugin was away", self.record(unsaid, call, event)

    def happen(self, w: World):  # noqa: C901, PLR0912 - everything that may befall
        """What the world does by itself: (what happened, world)."""
        e, org, rules, kv = w.entry, self.org, self.rules, (w.kv, w.version)
        for i, call in enumerate(w.late):
            rest = w._replace(late=w.late[:i] + w.late[i + 1 :])
            match call:
                case Delete():
                    yield "late: the journal is deleted", rest._replace(entry=Entry(State.SETTLED, w.kv, w.version))
                case Journal(rotation, entry):
                    if rotation != w.rotations and e.state not in REST:  # the numbers started again and coincide
                        yield "late: the journal is overwritten", rest._replace(entry=entry)
                case _:
                    yield f"late: {say(call)}", self.apply(rest, call, seen=False)[0]
            yield f"never: {say(call)}", rest
        if e.state is State.AWAITING_TOKEN and w.generation and e.candidate.token != w.generation:
            mailed = rules.ask(e, Request.TOKEN, Secret("", w.generation), kv)
            yield "the newest token mail", w._replace(entry=mailed)
        if (org.app or org.admin or not org.self_managed) and e.state in FREE and w.drift:
            yield "the record is seen to have moved", w._replace(entry=rules.ask(e, Request.DRIFT, None, kv))
        if org.plugin and w.ours and w.plugin < w.version and rules.push_until_equal:
            yield "push", self.apply(w, Push(w.version))[0]
            if w.faults:
                yield "push, late", w._replace(late=(*w.late, Push(w.version)), faults=w.faults - 1)
        if w.faults == 0 or org.calm:
            return
        w = w._replace(faults=w.faults - 1)
        if e.state is State.AWAITING_TOKEN:
            yield "an outdated token mail", w._replace(entry=rules.ask(e, Request.TOKEN, Secret("", -1), kv))
        if w.live != "H":
            yield "a human sets another password", changed(w, "H")
        if w.ours and e.state not in FREE:
            yield "a human writes a KV version", w._replace(kv=Secret("X"), version=w.version + 1, ours=False)
        if w.fails < org.limit:
            yield "a stale consumer fails to log in", self.failed(w, by_us=False, seen=False)

    def request(self, w: World):
        """What operators and triggers may ask at any time: (what was asked, world)."""
        e, right = w.entry, w.generation if self.org.token != "trusted" else None

        def asked(name, kind, secret=None, **also):
            entry = self.rules.ask(e, kind, secret, (w.kv, w.version))
            return [] if entry is None else [(name, w._replace(**{"entry": entry, "asks": w.asks - 1} | also))]

        fresh = e.state in FREE or (e.state is State.STUCK and not e.candidate)
        if w.rotations == 0:  # the one that it is all about
            yield from asked("rotate", Request.ROTATE, Secret("1"), rotations=1, asks=w.asks)
        elif w.rotations == 1 and fresh and w.asks:
            yield from asked("rotate", Request.ROTATE, Secret("2"), rotations=2)
        if w.asks == 0:
            return
        if not fresh:
            yield from asked("rotate again", Request.ROTATE)
        yield from asked("resync with the live password", Request.RESYNC, Secret(w.live, right))
        yield from asked("resync with a wrong password", Request.RESYNC, Secret("W", right))
        if self.org.token != "trusted":
            yield from asked("the token handed in", Request.TOKEN, Secret("", right))
            yield from asked("a wrong token handed in", Request.TOKEN, Secret("", -1))
        if w.fails or e.charges:
            yield from asked("unlock", Request.UNLOCK, fails=0, unseen=0)
        if self.org.admin:
            fresh = Secret(f"S{w.asks}")
            yield from asked("an administrator sets it", Request.SET, fresh)
            yield from asked("an administrator resets it", Request.RESET, fresh)
        version = w.version + self.rules.delete_moves_version
        yield from asked("delete the role", Request.DELETE, session=False, version=version)
