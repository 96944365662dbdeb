"""`make faults`: rotations under faults, from a seed, until so many were counted.

python -m faults.harness.run --rotations 300 --seed 7
python -m faults.harness.run --seed 7 --stint 3        # the same plan again, that one stint alone
"""

import argparse
import secrets
import sys
import time
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime

from faults.harness.plan import ROLES, ROUNDS, SHAPES, Stint, stint, stints
from faults.harness.rounds import Rounds
from faults.harness.stage import Stage, missing
from faults.harness.tally import Tally

from vault_salesforce.dev.stack import leaving_on_signals


def carry_out(plan: Stint, tally: Tally, replay: str, say: object = print, *, most: int = 0) -> None:
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
        _say(f"skipped: {name}: {why}")
    tally.skipped = cannot
    began = time.monotonic()

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
                    carry_out(
                        plan, tally, replay(plan.number), _say, most=0 if given.stint is not None else given.rotations
                    )
                except Exception as exc:  # noqa: BLE001 - a stint that broke off is a failure, and the run goes on
                    tally.broken["other"] += 1
                    tally.failures.append(f"stint {plan.number} broke off: {exc!r}. Replay: {replay(plan.number)}")
                    _say(f"  stint {plan.number} broke off: {exc!r}\n{traceback.format_exc()}")
                    if tally.rounds == 0:
                        break
                if given.stint is None and (tally.rotations >= given.rotations or _out_of_time(given.minutes, began)):
                    break
    finally:  # a run that is ended by hand says what it has seen, too
        _end(tally, given, (time.monotonic() - began) / 60)
    return 0 if tally.kept else 1


def _end(tally: Tally, given: argparse.Namespace, minutes: float) -> None:
    if given.report:
        command = f"make faults N={given.rotations} SEED={tally.seed}"
        _say("\n" + tally.table(datetime.now(UTC).date(), command) + "\n")
    for failure in tally.failures:
        _say(f"not kept: {failure}")
    _say(f"{tally.rounds} rounds in {minutes:.1f} min; other promises not kept: {tally.broken['other']}")
    _say(tally.last_line())


def _out_of_time(minutes: float, began: float) -> bool:
    return bool(minutes) and time.monotonic() - began > minutes * 60


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--rotations", type=int, default=300, help="how many to count")
    parser.add_argument("--seed", default="", help="of an earlier run; else a new one")
    parser.add_argument("--stint", type=int, default=None, help="this stint alone, whole")
    parser.add_argument("--roles", type=int, default=ROLES, help="in each stint")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="in each stint")
    parser.add_argument("--only", default="", help="shapes, or faults that happen to everything, with commas")
    parser.add_argument("--minutes", type=float, default=0.0, help="no further stint after so long; 0: no limit")
    parser.add_argument("--report", action="store_true", help="print the table of counts as Markdown")
    return parser


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
