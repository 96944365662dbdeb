"""How many files (connections, above all) the process may open: raised to what the settings can come to need."""

import resource

from vault_salesforce_sidecar.doors.admission import ARRIVALS
from vault_salesforce_sidecar.salesforce.idle import IDLE_CONNECTIONS
from vault_salesforce_sidecar.settings import Settings

_ARRIVING = 2 * ARRIVALS  # connections on their way in, or being answered
_OUTSIDE = 2  # one to Salesforce and one to Vault, for a rotation, and for a request that calls there itself
_OTHERS = 64  # logs, mailboxes, heartbeat, the interpreter's own


def needed(settings: Settings) -> int:
    """Files that may be open at once."""
    return _ARRIVING + _OUTSIDE * (settings.slots + settings.web_threads) + IDLE_CONNECTIONS + _OTHERS


def allow(files: int) -> str | None:
    """Let this process and its children open so many files.

    Returns: A sentence where they may not, even so; None where they may.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return None
    reachable = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (reachable, hard))
    if reachable == files:
        return None
    return (
        f"SLOTS and WEB_THREADS may need {files} open files, and the process may open {reachable}: "
        f"raise its limit (LimitNOFILE= of systemd, ulimit -n), or lower them"
    )
