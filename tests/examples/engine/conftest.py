"""The example is a single file, imported from where it lies."""

import sys
from pathlib import Path

ENGINE = Path(__file__).parents[3] / "examples" / "engine"
sys.path.append(str(ENGINE))
