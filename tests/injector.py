"""What the Kubernetes agent injectors make of a pod's annotations: the agent's configuration, and where it runs."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agent import Agent, Renders

_MAP = '{{ with secret "PATH" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}'
_JSON = '{{ with secret "PATH" }}{{ .Data | toJSON }}\n{{ end }}'
SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
SECRETS = "/vault/secrets"
# Becomes a command in another root directory, where the pod's own directories are in their places and all else is as it
# is here. Given: the new root; pairs of a directory and its place there; --; the command.
_ROOT = """
set -e
root=$1; shift
mount -t tmpfs tmpfs "$root"
for each in /*; do
  case $each in /home|/run|/vault) continue ;; esac
  if [ -L "$each" ]; then cp -P "$each" "$root"
  elif [ -d "$each" ]; then mkdir "$root$each"; mount --rbind "$each" "$root$each"; fi
done
while [ "$1" != -- ]; do mkdir -p "$root$2"; mount --bind "$1" "$root$2"; shift 2; done
shift
exec chroot "$root" "$@"
"""


@dataclass(frozen=True)
class Injector:
    """What differs between the two.

    Attributes:
        prefix: Of its annotations.
        home: The home directory of its containers.
        token: The file that the agent's token is written to.
    """

    prefix: str
    home: str
    token: str

    def configuration(self, annotations: Mapping[str, str], address: str, *, init: bool) -> dict[str, Any]:
        """What the container gets, decoded.

        Args:
            annotations: The pod's; those that are not known here raise `KeyError`.
            address: Vault's, as the injector is told it.
            init: For the init container, else for the sidecar.

        Source: `newConfig` and `secrets` of vault-k8s and openbao-k8s, agent-inject/agent/{config,annotations}.go.
        """
        left = {name.removeprefix(self.prefix): value for name, value in annotations.items()}
        left.pop("agent-inject")
        default = {"json": _JSON, "map": _MAP}[left.pop("agent-inject-default-template", "map")]
        as_given = left.pop("preserve-secret-case", "false")
        method: dict[str, Any] = {
            "type": left.pop("auth-type", "kubernetes"),
            "mount_path": left.pop("auth-path", "auth/kubernetes"),
            "config": {"role": left.pop("role"), "token_path": f"{SERVICE_ACCOUNT}/token"},
        }
        if left.pop("agent-auto-auth-exit-on-err", "false") == "true":
            method["exit_on_err"] = True
        retry = left.pop("template-config-exit-on-retry-failure", "true")
        template_config: dict[str, Any] = {"exit_on_retry_failure": retry == "true"}
        if interval := left.pop("template-static-secret-render-interval", ""):
            template_config["static_secret_render_interval"] = interval
        secret = "agent-inject-secret-"
        templates = []
        for name, path in {
            key.removeprefix(secret): left.pop(key) for key in [*left] if key.startswith(secret)
        }.items():
            template: dict[str, Any] = {
                "destination": f"{SECRETS}/{name if as_given == 'true' else name.lower()}",
                "contents": left.pop(f"agent-inject-template-{name}", default.replace("PATH", path)),
                "left_delimiter": "{{",
                "right_delimiter": "}}",
            }
            for member, annotation in (("command", "agent-inject-command"), ("perms", "agent-inject-perms")):
                if value := left.pop(f"{annotation}-{name}", ""):
                    template[member] = value
            if left.pop(f"error-on-missing-key-{name}", "false") == "true":
                template["error_on_missing_key"] = True
            templates.append(template)
        if left:
            raise KeyError(*left)
        return {
            "auto_auth": {"method": method, "sink": [{"type": "file", "config": {"path": self.token}}]},
            "exit_after_auth": init,
            "pid_file": f"{self.home}/.pid",
            "vault": {"address": address},
            "template": templates,
            "template_config": template_config,
        }


HASHICORP = Injector("vault.hashicorp.com/", "/home/vault", "/home/vault/.vault-token")
OPENBAO = Injector("openbao.org/", "/home/openbao", "/home/openbao/.openbao-token")


class Pod:
    """The directories of a pod, and the agents that run in its containers.

    Args:
        directory: Where the pod's directories are on this machine.
        injector: Which injector.
        token: Of its service account.
        file: Name of the rendered file.
        rewritten: Whether the places in the configuration are changed to those directories; else its containers get
            a root directory of their own, and the configuration is untouched.
    """

    def __init__(self, directory: Path, injector: Injector, token: str, *, file: str, rewritten: bool) -> None:
        self._directory, self._rewritten = directory, rewritten
        self._places = {
            SECRETS: directory / "secrets",
            injector.home: directory / "home",
            SERVICE_ACCOUNT: directory / "service-account",
        }
        for place in (*self._places.values(), directory / "root"):
            place.mkdir(parents=True)
        (self._places[SERVICE_ACCOUNT] / "token").write_text(token)
        self.token_file = self._places[injector.home] / Path(injector.token).name
        inside = None if rewritten else Path(SECRETS) / file
        self.renders = Renders(self._places[SECRETS] / file, inside=inside)

    def container(self, name: str, configuration: Mapping[str, Any]) -> Agent:
        """One container; the init container has a home of its own in truth, and leaves nothing there that matters."""
        text = json.dumps(configuration)
        if not self._rewritten:
            return Agent(self._directory / name, json.loads(text), wrapped=self._in_its_root)
        for place, here in self._places.items():
            text = text.replace(place, str(here))
        return Agent(self._directory / name, json.loads(text))

    def _in_its_root(self, command: list[str]) -> list[str]:
        # /var/run is a link on most machines, and would lead out of the new root.
        pairs = [str(each) for place, here in self._places.items() for each in (here, Path(place).resolve())]
        unshare = [_unshare(), "--mount", "--propagation", "private", "/bin/sh", "-c", _ROOT, "root"]
        return [*unshare, str(self._directory / "root"), *pairs, "--", *command]


def cannot_have_a_root_of_its_own() -> str:
    """Why a process cannot be shown another root directory on this machine; "" where it can."""
    if not _unshare():
        return "unshare is not installed"
    tried = subprocess.run((_unshare(), "--mount", "true"), capture_output=True, check=False)
    return "a mount namespace of its own needs root" if tried.returncode else ""


def _unshare() -> str:
    return shutil.which("unshare") or ""
