"""A Salesforce client that we did not write, as an app would use it: simple-salesforce."""

from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed


class ToOrg(HTTPAdapter):
    """Takes what is meant for a host of Salesforce's to the org of the stack: the path stays, the place changes."""

    def __init__(self, url: str) -> None:
        super().__init__(max_retries=0)
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """See `HTTPAdapter.send`."""
        asked = urlsplit(request.url or "")
        request.url = f"{self._url}{asked.path}" + (f"?{asked.query}" if asked.query else "")
        return super().send(request, *args, **kwargs)


def log_in(org_url: str, username: str, password: str, security_token: str) -> str | None:
    """Log in, and read the org's name with the session.

    Args:
        org_url: The org of the stack.
        username: Login name.
        password: Password alone.
        security_token: Its token, "" where none is needed.

    Returns:
        The org's name, or None where Salesforce refused the login.

    Raises:
        OSError: The org could not be reached.
    """
    with requests.Session() as session:
        session.trust_env = False
        session.mount("https://", ToOrg(org_url))
        try:
            org = Salesforce(username=username, password=password, security_token=security_token, session=session)
        except SalesforceAuthenticationFailed:
            return None
        return str(org.query("SELECT Name FROM Organization")["records"][0]["Name"])
