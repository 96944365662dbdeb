"""Become another program, in this same process, that the kernel kills when the process that started it dies.

A file of its own, run as `python -I -S leash.py <pid of the starter> <program> <argument> …`: a death signal outlives
an exec, and so the program needs to know nothing of it.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # Source: linux/prctl.h


def main(starter: str, *command: str) -> None:
    """Ask for the signal, make sure that the starter lived when that took effect, and become the program."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != int(starter):
        sys.exit("the process that started this one is gone")
    os.execv(command[0], command)  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
