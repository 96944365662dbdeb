"""What both programs have: the seed, an end in time, and lines that are seen at once."""

import argparse
import sys
import time
from typing import Final

_SECONDS_OF_A_MINUTE: Final = 60


def parser(target: str, description: str | None, *, each: str, seed: str) -> argparse.ArgumentParser:
    """The options of a program that runs something again and again, from a seed.

    Args:
        target: Make's, which starts it.
        description: What it does.
        each: What is run again and again.
        seed: What may be given as one.
    """
    made = argparse.ArgumentParser(prog=f"make {target}", description=description)
    made.add_argument("--seed", default="", help=seed)
    made.add_argument("--minutes", type=float, default=0.0, help=f"no further {each} after so long; 0: no limit")
    return made


class Watch:
    """Time since the program began.

    Args:
        most_minutes: How long it may begin anything; 0: for ever.
    """

    def __init__(self, most_minutes: float) -> None:
        self._most, self._began = most_minutes, time.monotonic()

    @property
    def minutes(self) -> float:
        """Since it began."""
        return (time.monotonic() - self._began) / _SECONDS_OF_A_MINUTE

    @property
    def is_over(self) -> bool:
        """Nothing more is to begin."""
        return bool(self._most) and self.minutes > self._most


def say(line: str) -> None:
    """Print a line for whoever watches, also through a pipe."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
