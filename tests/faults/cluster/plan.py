"""What happens to a server of three nodes while roles rotate: everything that chance decides, from the seed. PURE."""

from dataclasses import dataclass
from random import Random  # noqa: TID251 - a seed must give the same again
from typing import Final

ROLES: Final = 6  # of the stack; the first half logs in with a security token, which comes by mail
AT_ONCE: Final = 3

# With their weights; partitions need hosts.
KILLS: Final = {"the leader is killed": 4, "the leader steps down": 4, "a standby is killed": 1, "the leader sleeps": 2}
PARTITIONS: Final = {
    "the leader is isolated": 4,
    "the leader is parted from the nodes": 4,
    "the nodes never hear the leader": 2,
    "a standby is isolated": 1,
    "the standbys are parted": 1,
}
DOORS: Final = ("leader", "standby")


@dataclass(frozen=True)
class Trial:
    """One seed.

    Attributes:
        seed: Gives everything else.
        fault: What happens.
        roles: Which rotate meanwhile, by number; the first one's change is the moment, where there is one.
        doors: Through which kind of node each is asked for.
        moment: `hook_url` before the org makes the change, `hook_after_url` after it; "" some time after the asking.
        after_seconds: Between asking and the fault, where the change is not the moment.
        wait: How long each request waits for its rotation, in seconds.
        lasts_seconds: How long a partition or a sleep lasts.
        standby: Which of the two standbys, 0 or 1.
    """

    seed: str
    fault: str
    roles: tuple[int, ...]
    doors: tuple[str, ...]
    moment: str
    after_seconds: float
    wait: int
    lasts_seconds: float
    standby: int


def trial(seed: str, *, hosts: bool) -> Trial:
    """The trial of a seed.

    Args:
        seed: Any text.
        hosts: Whether the nodes have hosts of their own, which can be parted.
    """
    chance = Random(seed)  # noqa: S311 - no secret is made of it
    faults = KILLS | (PARTITIONS if hosts else {})
    return Trial(
        seed=seed,
        fault=chance.choices(list(faults), list(faults.values()))[0],
        roles=tuple(chance.sample(range(ROLES), AT_ONCE)),
        doors=tuple(chance.choice(DOORS) for _ in range(AT_ONCE)),
        moment=chance.choice(("hook_url", "hook_after_url", "")),
        after_seconds=chance.uniform(0.0, 0.6),
        wait=chance.choice((0, 2, 10)),
        lasts_seconds=chance.uniform(2.0, 9.0),
        standby=chance.randrange(2),
    )
