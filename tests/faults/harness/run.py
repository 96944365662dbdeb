"""`make faults`: rotations under faults, from a seed, until so many were counted.

python -m faults.harness.run --rotations 300 --seed 7
python -m faults.harness.run --seed 7 --stint 3        # the same plan again, that one stint alone
"""

import argparse
import secrets
import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from faults.harness.checks import OTHER
from faults.harness.plan import ROLES, ROUNDS, SHAPES, Stint, stint, stints
from faults.harness.program import Watch, parser, say
from faults.harness.rounds import Rounds
from faults.harness.stage import Stage, missing
from faults.harness.tally import Tally

from vault_salesforce.dev.stack import leaving_on_signals


def carry_out(plan: Stint, tally: Tally, replay: str, *, most: int = 0) -> None:
    """One stint on a stack of its own; it ends early once `most` rotations were counted (0: never)."""
    say(f"stint {plan.number}: {plan.shape.name}, {len(plan.rounds[0].roles)} roles, replay: {replay}")
    with Stage(plan.shape, len(plan.rounds[0].roles)) as stage:
        rounds = Rounds(stage, tally, replay, say)
        for each in plan.rounds:
            rounds.play(each)
            if most and tally.rotations >= most:
                return


def main(arguments: Sequence[str] | None = None) -> int:
    """Run, and say how it ended. Returns: 0 only if every promise was kept."""
    given = _parser().parse_args(arguments)
    seed = given.seed or secrets.token_hex(4)
    only = tuple(filter(None, (name.strip() for name in given.only.split(","))))
    tally = Tally(seed)
    cannot = {shape.name: why for shape in SHAPES if (why := missing(shape))}
    for name, why in cannot.items():
        say(f"skipped: {name}: {why}")
    tally.skipped = cannot
    watch = Watch(given.minutes)

    def replay(number: int) -> str:
        more = f" ROLES={given.roles}" if given.roles != ROLES else ""
        more += f" ROUNDS={given.rounds}" if given.rounds != ROUNDS else ""
        more += f" ONLY='{given.only}'" if given.only else ""
        return f"make faults SEED={seed} STINT={number}{more}"

    if given.stint is not None:
        plans = iter((stint(seed, given.stint, roles=given.roles, rounds=given.rounds, only=only),))
    else:
        plans = stints(seed, roles=given.roles, rounds=given.rounds, only=only)
    try:
        with leaving_on_signals(meant=False):
            for plan in plans:
                if plan.shape.name in cannot:
                    continue
                try:
                    carry_out(plan, tally, replay(plan.number), most=0 if given.stint is not None else given.rotations)
                except Exception as exc:  # noqa: BLE001 - a stint that broke off is a failure, and the run goes on
                    tally.broken[OTHER] += 1
                    tally.failures.append(f"stint {plan.number} broke off: {exc!r}. Replay: {replay(plan.number)}")
                    say(f"  stint {plan.number} broke off: {exc!r}\n{traceback.format_exc()}")
                    if tally.rounds == 0:
                        break
                if given.stint is None and (tally.rotations >= given.rotations or watch.is_over):
                    break
    finally:  # a run that is ended by hand says what it has seen, too
        _end(tally, given, watch.minutes)
    return 0 if tally.kept else 1


def _end(tally: Tally, given: argparse.Namespace, minutes: float) -> None:
    if given.report:
        command = f"make faults N={given.rotations} SEED={tally.seed}"
        say("\n" + tally.table(datetime.now(UTC).date(), command) + "\n")
    for failure in tally.failures:
        say(f"not kept: {failure}")
    say(f"{tally.rounds} rounds in {minutes:.1f} min; other promises not kept: {tally.broken[OTHER]}")
    say(tally.last_line())


def _parser() -> argparse.ArgumentParser:
    made = parser("faults", __doc__, each="stint", seed="of an earlier run; else a new one")
    made.add_argument("--rotations", type=int, default=300, help="how many to count")
    made.add_argument("--stint", type=int, default=None, help="this stint alone, whole")
    made.add_argument("--roles", type=int, default=ROLES, help="in each stint")
    made.add_argument("--rounds", type=int, default=ROUNDS, help="in each stint")
    made.add_argument("--only", default="", help="shapes, or faults that happen to everything, with commas")
    made.add_argument("--report", action="store_true", help="print the table of counts as Markdown")
    return made


if __name__ == "__main__":
    sys.exit(main())
