"""Hosts of the test's own, each a network namespace, on a network that nobody else sees and that ends with the test.

Everything is made inside a network and a mount namespace of this process's own (`enclosed`), so that the machine's
network is never touched and nothing is left, whatever ends the process.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trustme

from vault_salesforce.dev.host import Certified, Host

_ENCLOSED: Final = "VAULT_SALESFORCE_TEST_ENCLOSED"
_NETWORK: Final = "10.213.7"
_HERE: Final = f"{_NETWORK}.1"  # of the sidecars and the test
_FIRST: Final = 11  # and of the nodes
_TOOLS: Final = ("ip", "unshare", "nsenter")
_TOOL_SECONDS: Final = 20


def missing() -> str:
    """Why there can be no hosts on this machine; empty: there can."""
    if os.geteuid() != 0:
        return "network namespaces are made by root alone"
    absent = [tool for tool in _TOOLS if shutil.which(tool) is None]
    return f"{' and '.join(absent)} not installed" if absent else ""


def enclosed(module: str, arguments: Sequence[str]) -> list[str] | None:
    """The command that runs this module in namespaces of its own; None where this process is in them already."""
    if os.environ.get(_ENCLOSED):
        return None
    unshare = str(shutil.which("unshare"))
    mark = ("/usr/bin/env", f"{_ENCLOSED}=1")
    return [unshare, "--net", "--mount", "--", *mark, sys.executable, "-m", module, *arguments]


class Hosts:
    """The hosts of a stack: each node of the server has one, and all else is here, where the test runs.

    Args:
        directory: Where their certificates are written.
    """

    def __init__(self, directory: Path) -> None:
        self._numbers: dict[str, int] = {}
        self._directory, self._authority = directory, trustme.CA()
        self._authority.cert_pem.write_to_path(str(directory / "authority.pem"))
        _ip("link", "set", "lo", "up")
        # The names of namespaces are files, which this process alone is to see.
        _run("mount", "-t", "tmpfs", "none", "/run")
        _ip("link", "add", "hub", "type", "bridge")
        _ip("addr", "add", f"{_HERE}/24", "dev", "hub")
        _ip("link", "set", "hub", "up")

    def of(self, name: str) -> Host:
        """Where the part of this name runs; a node's host is made when it is first asked for."""
        if not name.startswith("vault"):
            return Host(_HERE, certified=self._certified(name, _HERE))
        if name not in self._numbers:
            self._make(name)
        address = self._address(name)
        enter = (str(shutil.which("nsenter")), f"--net=/run/netns/{name}", "--")
        return Host(address, enter, self._certified(name, address))

    def _certified(self, name: str, address: str) -> Certified:
        issued = self._authority.issue_cert(address)
        certificate, key = self._directory / f"{name}.pem", self._directory / f"{name}.key"
        certificate.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
        issued.private_key_pem.write_to_path(str(key))
        return Certified(certificate, key, self._directory / "authority.pem")

    def part(self, one: str, others: Sequence[str], *, one_way: bool = False) -> None:
        """Let nothing more through between a node and other nodes.

        Args:
            one: The node.
            others: The other ones.
            one_way: What the others send still arrives, and is never answered.
        """
        for other in others:
            self._route("add", one, other)
            if not one_way:
                self._route("add", other, one)

    def isolate(self, one: str) -> None:
        """Let nothing more through to or from a node, whoever it is."""
        _ip("link", "set", self._outside(one), "down")

    def mend(self) -> None:
        """Let everything through again."""
        for name in self._numbers:
            _ip("link", "set", self._outside(name), "up")
            for other in self._numbers:
                self._route("del", name, other, check=False)

    def _make(self, name: str) -> None:
        self._numbers[name] = len(self._numbers) + _FIRST
        outside = self._outside(name)
        _ip("netns", "add", name)
        _ip("link", "add", outside, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outside, "master", "hub", "up")
        _ip("-n", name, "addr", "add", f"{self._address(name)}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", name, "link", "set", device, "up")

    def _address(self, name: str) -> str:
        return f"{_NETWORK}.{self._numbers[name]}"

    def _outside(self, name: str) -> str:
        """The hub's end of the cable."""
        return f"hub{self._numbers[name]}"

    def _route(self, what: str, at: str, to: str, *, check: bool = True) -> None:
        _ip("-n", at, "route", what, "blackhole", f"{self._address(to)}/32", check=check)


def _ip(*arguments: str, check: bool = True) -> None:
    _run("ip", *arguments, check=check)


def _run(tool: str, *arguments: str, check: bool = True) -> None:
    done = subprocess.run(
        (str(shutil.which(tool)), *arguments), capture_output=True, text=True, timeout=_TOOL_SECONDS, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"{tool} {' '.join(arguments)}: {done.stderr.strip()}")
