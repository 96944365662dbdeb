"""The objects of the org, in one tuple."""

from salesforce_orgsim.faults import FaultError
from salesforce_orgsim.tables import DATA, Look, Table

from .access import AUTH_SESSION, LOGIN_HISTORY, LOGIN_IP, OAUTH_TOKEN
from .health import SECURITY_HEALTH_CHECK, SECURITY_HEALTH_CHECK_RISKS
from .people import ORGANIZATION, USER, USER_LOGIN
from .permissions import PERMISSION_SET, PERMISSION_SET_ASSIGNMENT, PROFILE

TABLES = (
    USER,
    USER_LOGIN,
    LOGIN_HISTORY,
    AUTH_SESSION,
    OAUTH_TOKEN,
    LOGIN_IP,
    ORGANIZATION,
    PROFILE,
    PERMISSION_SET,
    PERMISSION_SET_ASSIGNMENT,
    SECURITY_HEALTH_CHECK,
    SECURITY_HEALTH_CHECK_RISKS,
)


def find(look: Look, name: str, api: str = DATA) -> Table:
    """Find an object that exists for the viewer.

    Raises:
        FaultError: There is none.
    """
    for table in TABLES:
        if table.name.lower() == name.lower() and table.api == api and table.exists(look):
            return table
    raise FaultError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
