"""Many processes that read one role as the examples for consumers do."""

import json
import os
import signal
import subprocess
from collections import Counter
from contextlib import suppress
from pathlib import Path

from vault_salesforce.policy import policy

EXAMPLES = Path(__file__).parents[1] / "examples" / "consumers"
WORKERS = Path(__file__).parent / "examples" / "consumers"
END_SECONDS = 30
# Between two queries of a process, and between two looks at Vault while it waits.
INTERVAL_SECONDS, PAUSE_SECONDS = 0.4, 0.2


class Crowd:
    """Processes that work in sessions of one account until they are told to stop.

    Args:
        product: The running product.
        account: Whose credential they read, with a token that may do nothing else.
        directory: Where they write.
    """

    def __init__(self, product, account, directory):
        text = policy("consumer", role=account.role)
        product.vault.ask("PUT", f"v1/sys/policies/acl/crowd-{account.role}", {"policy": text})
        body = {"policies": [f"crowd-{account.role}"], "no_default_policy": True, "ttl": "1h"}
        token = product.vault.ask("POST", "v1/auth/token/create", body).body["auth"]["client_token"]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "VAULT_ADDR": product.vault.url,
            "VAULT_TOKEN": token,
        }
        self._product, self._directory = product, directory
        self._output, self._errors = directory / "crowd.out", directory / "crowd.err"
        self._processes = []
        self._theirs, self._ours = os.pipe()

    def start(self, command, programs):
        """Start so many programs; the end of their stdin ends them, whatever becomes of the test."""
        with self._output.open("ab") as output, self._errors.open("ab") as errors:
            for _ in range(programs):
                self._processes.append(
                    subprocess.Popen(
                        command,
                        env=self._environment,
                        cwd=self._directory,
                        stdin=self._theirs,
                        stdout=output,
                        stderr=errors,
                        start_new_session=True,
                    )
                )

    def told(self, did):
        """What the processes told of this kind."""
        lines = self._output.read_text().splitlines() if self._output.exists() else []
        whole = [json.loads(line) for line in lines if line.endswith("}")]
        failed = [line for line in whole if line["did"] == "fail"]
        assert not failed, failed
        return [line for line in whole if line["did"] == did]

    def logins(self):
        """How often each process has logged in."""
        return Counter(line["pid"] for line in self.told("log in"))

    def all_logged_in(self, number, times):
        """Wait until each of so many processes has logged in so often."""

        def look():
            logins = self.logins()
            return len(logins) == number and min(logins.values()) >= times

        self._product.until(look, f"{times} logins of {number} processes")

    def stop(self):
        """End them; what each told at its end."""
        os.close(self._ours)
        self._ours = None
        for process in self._processes:
            assert process.wait(END_SECONDS) == 0, self._errors.read_text()
        return self.told("end")

    def close(self):
        """Nothing is left of them."""
        for process in self._processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        os.close(self._theirs)
        if self._ours is not None:
            os.close(self._ours)
