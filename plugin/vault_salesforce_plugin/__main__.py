"""What the launcher runs. The engine, with HTTP and JWT, is imported after the handshake, when a mount is set up."""

from typing import TYPE_CHECKING, NoReturn

from vault_plugin_sdk.wire.serve import serve
from vault_salesforce_plugin import __version__

if TYPE_CHECKING:
    from vault_plugin_sdk.framework.backend import Backend


def main() -> NoReturn:
    """Serve until the server that started this process ends it. Raises: SystemExit where no server started it."""
    serve(_backend, version=__version__)


def _backend() -> "Backend":
    from vault_salesforce_plugin.backend import SalesforceBackend

    return SalesforceBackend()


if __name__ == "__main__":
    main()
