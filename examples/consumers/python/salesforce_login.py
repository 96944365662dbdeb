"""Log in to Salesforce with what Vault holds: once per version, and never again with one that was refused."""

import time

import hvac
import requests
from simple_salesforce import Salesforce, SalesforceAuthenticationFailed, SalesforceLogin


def log_in(
    vault: hvac.Client, role: str, refused: set[int], web: requests.Session, *, domain: str = "login", pause: float = 5
) -> Salesforce:
    """A session to keep.

    Args:
        vault: With a token that may read both paths.
        role: Name of the role.
        refused: The versions that were refused; empty at first, and kept as long as the process lives.
        web: Connections to Salesforce.
        domain: Where users log in, without `.salesforce.com`: `login`, `test`, or `example.my`.
        pause: Seconds between two looks at Vault.
    """
    while True:
        held, now = (vault.read(f"sf/{path}/{role}")["data"] for path in ("static-creds", "version"))
        if held["version"] == now["version"] not in refused and not now["changing"]:
            user = held["username"], held["password"], held["security_token"]
            try:
                session_id, host = SalesforceLogin(*user, domain=domain, session=web)
                # It is not given the password: with it, it would log in again by itself.
                return Salesforce(session_id=session_id, instance=host, session=web)
            except SalesforceAuthenticationFailed as refusal:
                if refusal.code != "INVALID_LOGIN":
                    raise
                refused.add(held["version"])
        time.sleep(pause)
