"""serve(): what a plugin's program calls. The host is checked before anything heavy is imported."""

import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from vault_plugin_sdk.wire.handshake import HandshakeError, read_invitation

if TYPE_CHECKING:
    from collections.abc import Callable

    from vault_plugin_sdk.framework.backend import Backend


def serve(backend_factory: "Callable[[], Backend]", *, version: str) -> NoReturn:
    """Be a plugin of the server that started this process, until that server ends it.

    Signals, standard output and standard error belong to the wire from here on: prints and log records of `logging`
    appear in the server's log. The process writes no core dump, and its files are its user's alone: see `privacy`.

    Args:
        backend_factory: Makes the Backend of a mount; called once for each mount, after the handshake, so that it may
            import what the handshake should not wait for.
        version: The plugin's semantic version; the server refuses a registration that names another.

    Raises:
        SystemExit: 1 where the process was not started by a server that speaks plugin protocol 5; one line on stderr
            says so.
    """
    # Ctrl-C in a terminal reaches the whole process group, and the server still needs its plugins while it stops.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        invitation = read_invitation(os.environ)
    except HandshakeError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.exit(1)

    import asyncio
    import logging

    from vault_plugin_sdk.privacy import keep_private
    from vault_plugin_sdk.wire.log import take_over_stderr

    take_over_stderr()
    log = logging.getLogger(__name__)
    try:
        keep_private()
        from vault_plugin_sdk.wire.process import run

        asyncio.run(run(backend_factory, version, invitation))
    except HandshakeError as exc:
        log.error("%s", exc)  # noqa: TRY400 - the sentence says it all
    except BaseException:
        log.exception("the plugin failed")
    os._exit(1)
