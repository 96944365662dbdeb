"""Writes `*_pb2.py` and `*_pb2.pyi` from the .proto files beside it: `python generate.py`, or `make proto`.

Needs grpcio-tools, at development time only. The generated code asks for a protobuf runtime at least as new as the one
that the generator carries, so a newer generator may raise the lower bound in `sdk/pyproject.toml`.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
SDK = HERE.parents[2]


def main() -> int:
    """Run the compiler once for all files.

    Returns:
        The compiler's exit code.
    """
    sources = [str(path.relative_to(SDK)) for path in sorted(HERE.glob("*.proto"))]
    return int(protoc.main(["protoc", f"-I{SDK}", f"--python_out={SDK}", f"--pyi_out={SDK}", *sources]))


if __name__ == "__main__":
    sys.exit(main())
