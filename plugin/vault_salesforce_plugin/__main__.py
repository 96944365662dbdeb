"""What the launcher runs. The engine, with HTTP and JWT, is imported after the handshake, when a mount is set up."""

import os
from typing import TYPE_CHECKING, NoReturn

from vault_plugin_sdk.wire.serve import serve
from vault_salesforce_plugin import __version__

if TYPE_CHECKING:
    from vault_plugin_sdk.framework.backend import Backend

# All that a plugin is told through its environment: the handshake, and where it may put its socket.
_KEPT = ("VAULT_BACKEND_PLUGIN", "PLUGIN_", "TMPDIR", "TEMP", "TMP")


def main() -> NoReturn:
    """Serve until the server that started this process ends it. Raises: SystemExit where no server started it."""
    # A plugin inherits the server's whole environment, whatever its registration says, and libraries read it too: one
    # variable of protobuf's keeps the plugin from starting. Python's own are ignored by how the launcher starts it.
    for name in [name for name in os.environ if not name.startswith(_KEPT)]:
        del os.environ[name]
    serve(_backend, version=__version__)


def _backend() -> "Backend":
    from vault_salesforce_plugin.backend import SalesforceBackend

    return SalesforceBackend()


if __name__ == "__main__":
    main()
