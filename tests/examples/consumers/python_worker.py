"""One app of the crowd: forks as many processes as it is told to, each of which works in its session until stdin ends.

Run with the example's folder, the org's address, the role, the number of processes and two pauses in seconds; each
process writes a line of JSON for each login that the example made, and one at its end.
"""

import importlib
import json
import os
import select
import sys

import hvac
import requests
from simple_salesforce import SalesforceExpiredSession

from vault_salesforce.dev.client import ToOrg

QUERY = "SELECT Id FROM Organization"


def tell(**what):
    """One short write, so that lines of several processes do not mix."""
    os.write(1, f"{json.dumps(what)}\n".encode())


def stopped(seconds):
    """Whether the test is over; waits so long for it."""
    ready, _, _ = select.select([0], [], [], seconds)
    return bool(ready)


def work(log_in, org_url, role, interval, pause):
    """Log in once, and work in the session; log in again only when it has ended."""
    vault = hvac.Client(os.environ["VAULT_ADDR"], os.environ["VAULT_TOKEN"])
    web = requests.Session()
    web.trust_env = False
    web.mount("https://", ToOrg(org_url))
    refused = set()

    def enter():
        made = log_in(vault, role, refused, web, pause=pause)
        tell(did="log in", pid=os.getpid())
        return made

    org = enter()
    while not stopped(interval):
        try:
            org.query(QUERY)
        except SalesforceExpiredSession:
            org = enter()
    tell(did="end", pid=os.getpid(), found=org.query(QUERY)["totalSize"], refused=sorted(refused))


def main():
    """Fork, and wait for all."""
    folder, org_url, role, number, interval, pause = sys.argv[1:]
    sys.path.insert(0, folder)
    log_in = importlib.import_module("salesforce_login").log_in
    children = []
    for _ in range(int(number)):
        child = os.fork()
        if not child:
            try:
                work(log_in, org_url, role, float(interval), float(pause))
            except BaseException as exc:  # noqa: BLE001 - the test is told
                tell(did="fail", pid=os.getpid(), reason=repr(exc))
                os._exit(1)
            os._exit(0)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    sys.exit(max(codes))


if __name__ == "__main__":
    main()
