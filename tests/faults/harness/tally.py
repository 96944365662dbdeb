"""What is counted over a run, and the table of it. PURE."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

from faults.harness.checks import LOCKOUT, LOST, OTHER, UNPROVEN


@dataclass
class Tally:
    """Counts of a run.

    Attributes:
        seed: The run's.
        rotations: In which a change was attempted under a fault, or finished after one.
        faults: How often each fault bit a rotation that counts.
        broken: How often each promise was not kept.
        rounds: How many rounds were run.
        ends: How the roles were found after their rounds, by state.
        steps: Next steps that had to be followed.
        holds: Brakes that the engine pulled.
        skipped: Shapes that this machine cannot carry, with the reason.
        failures: What was not kept, in words, with the command that replays it.
    """

    seed: str
    rotations: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    rounds: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    holds: int = 0
    skipped: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Whether every promise was."""
        return not self.broken.total()

    def last_line(self) -> str:
        """The line that a run ends with."""
        lost, locked, unproven = (self.broken[kind] for kind in (LOST, LOCKOUT, UNPROVEN))
        return (
            f"faults: {self.rotations} rotations, {lost} lost, {locked} lockouts, {unproven} unproven, seed {self.seed}"
        )

    def table(self, today: date, command: str) -> str:
        """The counts as Markdown, ready to be pasted.

        Args:
            today: The day of the run.
            command: What repeats it.
        """
        rows = [f"| {name} | {number:,} |" for name, number in sorted(self.faults.items())]
        ends = ", ".join(f"{number:,} {state}" for state, number in self.ends.most_common())
        lines = [
            (
                f"{today.isoformat()}, seed `{self.seed}`, `{command}`: {self.rotations:,} rotations under faults in "
                f"{self.rounds:,} rounds; {self.broken[LOST]} lost, {self.broken[LOCKOUT]} lockouts by us, "
                f"{self.broken[UNPROVEN]} unproven, {self.broken[OTHER]} other promises not kept."
            ),
            "",
            (
                f"Found at rest after the round: {ends}. Next steps followed until all were well: {self.steps:,}; "
                f"brakes that the engine pulled itself: {self.holds:,}."
            ),
            "",
            "| fault | rotations that it bit |",
            "|---|---:|",
            *rows,
        ]
        lines += [f"\nNot run here: {name}: {reason}." for name, reason in self.skipped.items()]
        return "\n".join(lines)
