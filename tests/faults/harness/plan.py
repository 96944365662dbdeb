"""What happens in a run: everything that chance decides, from the seed alone. PURE: a seed gives one plan, always.

A run is stints, each of which has a stack of its own; a stint is rounds. In a round every role rotates at once; calls
of single roles meet with accidents, people do things to single users, and now and then something happens to all.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random  # noqa: TID251 - a plan is to be repeated, and holds no secret
from typing import Final

from faults.harness import deeds
from faults.harness.calls import KV_READS, KV_WRITES
from faults.harness.deeds import Deed

KINDS: Final = ("token", "trusted", "app", "admin")
CAUSES: Final = {"rotate": 6, "lease end": 3, "force": 2}
ROUNDS: Final = 10
ROLES: Final = 48

# What happens to everything at once, where one sidecar runs; the numbers are weights.
EVERYWHERE: Final[Mapping[str, int]] = {
    "kill sidecar": 5,
    "kill sidecar's worker": 2,
    "end sidecar": 2,
    "stop sidecar": 3,
    "kill plugin": 4,
    "stop plugin": 2,
    "kill server": 4,
    "stop server": 2,
    "kill all": 3,
    "seal": 1,
    "server says 429": 2,
    "server says sealed": 2,
    "server says standby": 2,
} | {f"{line}: {mode}": 1 for line in deeds.LINES for mode in deeds.LINE_MODES}
WITH_TWO_SIDECARS: Final[Mapping[str, int]] = {
    "kill sidecar": 4,
    "end sidecar": 2,
    "kill other sidecar": 4,
    "stop sidecar beyond its hold": 4,
    "kill plugin": 2,
    "kill server": 2,
    "sidecar to server: black hole": 2,
    "sidecar to server: half-open": 2,
    "server to sidecar: cut": 1,
}
RESTORES: Final[Mapping[str, int]] = {
    "restored": 3,
    "restored from a round ago": 3,
    "restored and kill sidecar": 2,
}
PEOPLE: Final = {
    "token": ("human changes the password", "human resets the token", "stale consumer"),
    "trusted": ("human changes the password", "stale consumer"),
    "app": ("human changes the password", "stale consumer"),
    "admin": ("human changes the password",),
}


@dataclass(frozen=True)
class Shape:
    """What a stack is made of.

    Attributes:
        name: For people, and to choose it.
        sidecars: How many.
        clock: The sidecars' clock can be set; the second one's is some seconds off from the start.
        small_disk: The server's disk can be filled.
        snapshots: A snapshot of the server is taken before each round.
        faults: What happens to everything at once, by weight.
        needs: What this machine must offer: `libfaketime`, `mount`.
    """

    name: str
    faults: Mapping[str, int]
    sidecars: int = 1
    clock: bool = False
    small_disk: bool = False
    snapshots: bool = False
    needs: str = ""


SHAPES: Final = (
    Shape("plain", EVERYWHERE),
    Shape("two sidecars", WITH_TWO_SIDECARS, sidecars=2),
    Shape(
        "skewed clocks",
        {"clock a day on": 3, "clock a day back": 3, "kill sidecar": 1},
        sidecars=2,
        clock=True,
        needs="libfaketime",
    ),
    Shape("small disk", {"disk full": 4, "disk full and kill server": 2}, small_disk=True, needs="mount"),
    Shape("restored", RESTORES, snapshots=True),
)
_TURNS: Final = ("plain", "plain", "two sidecars", "plain", "small disk", "plain", "skewed clocks", "restored")


@dataclass(frozen=True)
class CallFault:
    """An accident of one call: the nth of its name in this round about this role."""

    call: str
    nth: int
    deed: Deed


@dataclass(frozen=True)
class When:
    """A moment of one role's rotation: the nth call of a name, before or after the other side did it."""

    role: int
    call: str
    nth: int
    after: bool


@dataclass(frozen=True)
class RolePlan:
    """One role in one round.

    Attributes:
        number: Which role.
        kind: How its password is changed.
        cause: What begins the rotation.
        wait: Seconds that who asks waits for it.
        faults: Accidents of its calls.
        person: What somebody does to its user meanwhile; "" nobody.
        person_when: At which moment.
    """

    number: int
    kind: str
    cause: str
    wait: int
    faults: tuple[CallFault, ...]
    person: str = ""
    person_when: When | None = None


@dataclass(frozen=True)
class WorldFault:
    """What happens to everything at once.

    Attributes:
        name: What.
        when: At which moment of one role's rotation.
        seconds: How long it lasts, where that is not in its nature.
    """

    name: str
    when: When
    seconds: float


@dataclass(frozen=True)
class Round:
    """Everything that happens until all is healed and looked at."""

    number: int
    roles: tuple[RolePlan, ...]
    world: tuple[WorldFault, ...]


@dataclass(frozen=True)
class Stint:
    """One stack's life."""

    seed: str
    number: int
    shape: Shape
    rounds: tuple[Round, ...]


def kind_of(number: int) -> str:
    """The kind of a role."""
    return KINDS[number % len(KINDS)]


def stints(seed: str, *, roles: int = ROLES, rounds: int = ROUNDS, only: Sequence[str] = ()) -> Iterator[Stint]:
    """The stints of a run, without end.

    Args:
        seed: Everything follows from it.
        roles: In each stint.
        rounds: In each stint.
        only: Names of shapes, or of faults that happen to everything; empty: all.
    """
    for number in count():
        yield stint(seed, number, roles=roles, rounds=rounds, only=only)


def stint(
    seed: str, number: int, *, roles: int = ROLES, rounds: int = ROUNDS, only: Sequence[str] = (), shape: str = ""
) -> Stint:
    """One stint of a run. See `stints`; `shape`: this one, whatever the turn."""
    chance = Random(f"{seed}/{number}")  # noqa: S311 - as above
    names = _TURNS if not only else dict.fromkeys(_TURNS)
    turns = [name for name in names if _fits(shape_of(name), only)] or [_TURNS[0]]
    made = shape_of(shape or turns[number % len(turns)])
    return Stint(seed, number, made, tuple(_round(chance, each, made, roles, only) for each in range(rounds)))


def shape_of(name: str) -> Shape:
    """The shape of this name. Raises: KeyError."""
    return {shape.name: shape for shape in SHAPES}[name]


def _fits(shape: Shape, only: Sequence[str]) -> bool:
    return not only or shape.name in only or bool(set(only) & set(shape.faults))


def _round(chance: Random, number: int, shape: Shape, roles: int, only: Sequence[str]) -> Round:
    weights = {name: weight for name, weight in shape.faults.items() if name in only} or shape.faults
    often = 0.95 if only or shape.name != "plain" else 0.7
    names = chance.choices(list(weights), list(weights.values()), k=2) if chance.random() < often else []
    if names and chance.random() < 0.8:
        del names[1:]
    world = tuple(WorldFault(name, _when(chance, chance.randrange(roles)), chance.uniform(0.5, 5.0)) for name in names)
    # Where something happens to all, most roles have no accident of their own: which of the two it was can be told.
    share = 0.3 if world else 0.9
    return Round(number, tuple(_role(chance, each, share) for each in range(roles)), world)


def _role(chance: Random, number: int, share: float) -> RolePlan:
    kind = kind_of(number)
    faults = tuple(_accident(chance, kind) for _ in range(_how_many(chance, share)))
    person = chance.choice(PEOPLE[kind]) if chance.random() < 0.06 else ""
    return RolePlan(
        number=number,
        kind=kind,
        cause=chance.choices(list(CAUSES), list(CAUSES.values()))[0],
        wait=chance.choice((0, 0, 0, 3, 10)),
        faults=() if person == "stale consumer" else faults,
        person=person,
        person_when=_when(chance, number) if person else None,
    )


def _how_many(chance: Random, share: float) -> int:
    if chance.random() >= share:
        return 0
    return 2 if chance.random() < 0.25 else 1


def _accident(chance: Random, kind: str) -> CallFault:
    if chance.random() < 0.5:
        call = chance.choice(_org_calls(kind))
        return CallFault(call, chance.choice((1, 1, 1, 2, 2, 3)), _one_of(chance, deeds.TO_ORG))
    if chance.random() < 0.35:
        call = chance.choice(KV_READS)
        return CallFault(call, chance.choice((1, 1, 2)), _one_of(chance, (*deeds.TO_VAULT, deeds.STALE_READ)))
    call = chance.choices(KV_WRITES, (6, 3, 1, 1, 2))[0]
    nth = chance.choice((1, 2, 3, 4, 5, 6)) if call == "journal.write" else chance.choice((1, 1, 2))
    return CallFault(call, nth, _one_of(chance, deeds.TO_VAULT))


def _one_of(chance: Random, these: Sequence[Deed]) -> Deed:
    # Who is silent costs everybody the whole of a time limit: seldom.
    return chance.choices(these, [1 if deed.answers == "silence" else 4 for deed in these])[0]


def _org_calls(kind: str) -> tuple[str, ...]:
    return (
        ("grant", "look", "login", "change", "change")
        if kind == "app"
        else ("look", "login", "login", "change", "change")
    )


def _when(chance: Random, role: int) -> When:
    call, most = chance.choice(
        (("journal.write", 6), ("login", 2), ("change", 1), ("creds.write", 1), ("published.write", 1))
    )
    return When(role, call, chance.randint(1, most), chance.random() < 0.5)
