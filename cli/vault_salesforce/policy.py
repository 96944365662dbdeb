"""The policies that come with the engine, filled in for a deployment's mounts and roles."""

import re
from importlib import resources
from string import Template
from typing import Final

NAMES: Final = ("operator", "sidecar", "consumer", "consumer-leased", "auditor", "break-glass")
ANY: Final = "+"
_ONE_ROLE_EACH: Final = ("consumer", "consumer-leased")
_MOUNT = re.compile(r"[\w.-]+(?:/[\w.-]+)*", re.ASCII)
_ROLE = re.compile(r"\w[\w.-]*\*?|\+", re.ASCII)


def policy(
    name: str,
    *,
    mount: str = "sf",
    kv: str = "salesforce",
    engine_kv: str = "salesforce-engine",
    role: str | None = None,
) -> str:
    """A policy as HCL.

    Args:
        name: One of `NAMES`.
        mount: Path of the engine's mount.
        kv: Path of the KV mount that apps read.
        engine_kv: Path of the KV mount that is the sidecar's own.
        role: The role that it covers, a prefix such as `team-a-*`, or `+` for any; None: any, and of no use to apps.

    Raises:
        ValueError: A path or role cannot be one, the policy needs a role, or covers every one by its nature.
    """
    for option, path in (("mount", mount), ("kv", kv), ("engine_kv", engine_kv)):
        if not _MOUNT.fullmatch(path.strip("/")):
            raise ValueError(f"{option} must be the path of a mount")
    if role is not None and not _ROLE.fullmatch(role):
        raise ValueError("role must be a name, a prefix that ends in *, or + for any")
    if role is None and name in _ONE_ROLE_EACH:
        raise ValueError(f"a policy {name} is for one role, or one prefix of roles: name it")
    template = Template(resources.files("vault_salesforce").joinpath("policies", f"{name}.hcl").read_text())
    if role is not None and "name" not in template.get_identifiers():
        raise ValueError(f"a policy {name} covers every role: give none")
    paths = {"mount": mount.strip("/"), "kv": kv.strip("/"), "engine_kv": engine_kv.strip("/")}
    return template.safe_substitute(paths, name=role or ANY)
