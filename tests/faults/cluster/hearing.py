"""Who hears whom, of this place and two hosts: printed as JSON, before anything is parted, meanwhile, and after."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from faults.cluster.hosts import Hosts, enclosed

_CONNECT = "import socket,sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 1.5)"
_LISTEN = (
    "import socket,sys; s = socket.create_server((sys.argv[1], 0)); print(s.getsockname()[1], flush=True)\n"
    "while True: s.accept()[0].close()"
)


def main() -> None:
    """Start a server on each host, and try the ways to them."""
    if command := enclosed("faults.cluster.hearing", []):
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted
    with tempfile.TemporaryDirectory() as directory:
        hosts = Hosts(Path(directory))
        one, two = hosts.of("vault"), hosts.of("vault-2")
        servers = [
            subprocess.Popen((*host.enter, sys.executable, "-c", _LISTEN, host.address), stdout=subprocess.PIPE)
            for host in (one, two)
        ]
        ports = [int(server.stdout.readline()) for server in servers if server.stdout]

        def ways() -> list[bool]:
            """From here to the first host, from here to the second, from the first to the second."""
            tries = (((), one, ports[0]), ((), two, ports[1]), (one.enter, two, ports[1]))
            return [
                subprocess.run(
                    (*enter, sys.executable, "-c", _CONNECT, host.address, str(port)), capture_output=True, check=False
                ).returncode
                == 0
                for enter, host, port in tries
            ]

        seen = {"before": ways()}
        hosts.part("vault", ["vault-2"])
        seen["parted"] = ways()
        hosts.mend()
        hosts.part("vault", ["vault-2"], one_way=True)
        seen["one way"] = ways()
        hosts.mend()
        hosts.isolate("vault")
        seen["isolated"] = ways()
        hosts.mend()
        seen["mended"] = ways()
        for server in servers:
            server.kill()
            server.wait()
    sys.stdout.write(json.dumps(seen))


if __name__ == "__main__":
    main()
