"""`make faults-cluster`: three nodes and two sidecars, the leader killed, stepped down, asleep or parted, seed by seed.

python -m faults.cluster.run --trials 200 --seed 7
python -m faults.cluster.run --seed 7/31 --trials 1        # that one again
"""

import argparse
import contextlib
import os
import secrets
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from faults.cluster import hosts
from faults.cluster.plan import trial
from faults.cluster.trials import Trials
from faults.harness.checks import LOCKOUT, LOST, OTHER, UNPROVEN, Broken
from faults.harness.program import Watch, parser, say

from vault_salesforce.dev.host import on_loopback
from vault_salesforce.dev.stack import Stack, leaving_on_signals


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and say how it ended. Returns: 0 only if every promise was kept."""
    given = _parser().parse_args(arguments)
    if why := hosts.missing():
        say(f"nothing is parted: {why}")
    elif command := hosts.enclosed("faults.cluster.run", sys.argv[1:]):
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    given.seed = given.seed or secrets.token_hex(4)
    with (
        leaving_on_signals(meant=False),
        tempfile.TemporaryDirectory() as certificates,
        contextlib.ExitStack() as ends,
    ):
        network = None if why else hosts.Hosts(Path(certificates))
        stack = ends.enter_context(Stack(say, nodes=3, sidecars=2, host=network.of if network else on_loopback))
        stack.start()
        trials = Trials(stack, network)
        ends.callback(trials.close)
        return _run(trials, given, hosts=bool(network))


def _run(trials: Trials, given: argparse.Namespace, *, hosts: bool) -> int:
    seeds = [given.seed] if "/" in given.seed else [f"{given.seed}/{number}" for number in range(given.trials)]
    done: Counter[str] = Counter()
    broken: Counter[str] = Counter()
    watch = Watch(given.minutes)
    for seed in seeds:
        if watch.is_over:
            break
        plan = trial(seed, hosts=hosts)
        done[plan.fault] += 1
        say(f"trial {seed}: {plan.fault}; {trials.changed} rotations so far")
        try:
            found = trials.carry_out(plan)
        except Exception as exc:  # noqa: BLE001 - it is told, and counts as not kept
            found = [Broken(OTHER, "a trial to its end", f"{exc}\n{traceback.format_exc()}")]
        for promise in found:
            broken[promise.kind] += 1
            say(f"NOT KEPT: {promise.kind}: expected {promise.expected}; seen: {promise.seen}; {plan}")
    for fault, times in sorted(done.items()):
        say(f"| {fault} | {times} |")
    say(
        f"cluster faults: {sum(done.values())} trials, {trials.changed} rotations, {broken[LOST]} lost, "
        f"{broken[LOCKOUT]} lockouts, {broken[UNPROVEN]} unproven, {broken[OTHER]} other, seed {given.seed}"
    )
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    seed = "of an earlier run; with a slash: of one trial of it"
    made = parser("faults-cluster", __doc__, each="trial", seed=seed)
    made.add_argument("--trials", type=int, default=200, help="how many")
    return made


if __name__ == "__main__":
    sys.exit(main())
