"""Lets these tests import the helpers beside them, and the world in memory of the rotation's tests."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "sidecar" / "rotation")]
