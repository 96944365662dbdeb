"""The manifests: Kubernetes' own schemas take them, the sidecar takes its settings from them, the paths are ours."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flask
import kubernetes_validate
import pytest
import yaml

from vault_salesforce_contract import api
from vault_salesforce_sidecar.doors.probes import blueprint
from vault_salesforce_sidecar.serve import DRAIN_SECONDS
from vault_salesforce_sidecar.settings import from_environ

DEPLOY = Path(__file__).parents[2] / "deploy" / "kubernetes"
FILES = sorted(DEPLOY.rglob("*.yaml"))
NEWEST_SCHEMAS = kubernetes_validate.latest_version()
KV_PATH = re.compile(r"creds/[\w.-]+")


def documents(*files: Path) -> Iterator[dict[str, Any]]:
    for file in files:
        yield from yaml.safe_load_all(file.read_text())


def of_kind(kind: str, *files: Path) -> dict[str, Any]:
    (found,) = (document for document in documents(*files) if document["kind"] == kind)
    return found


DEPLOYMENT = of_kind("Deployment", DEPLOY / "sidecar.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def is_kubernetes_own(document: dict[str, Any]) -> bool:
    group, _, _ = document["apiVersion"].rpartition("/")
    return "." not in group or group.endswith(".k8s.io")


@pytest.mark.parametrize(
    "document", list(documents(*FILES)), ids=lambda each: f"{each['kind']} {each['metadata']['name']}"
)
def test_kubernetes_takes_it(document):
    if is_kubernetes_own(document):
        kubernetes_validate.validate(document, NEWEST_SCHEMAS, strict=True)
    assert document["kind"] == "Namespace" or document["metadata"]["namespace"]


def test_the_sidecar_takes_its_settings_from_the_deployment():
    environ = dict(of_kind("ConfigMap", DEPLOY / "sidecar.yaml")["data"])
    downward = {"metadata.name": "vault-salesforce-sidecar-7d4f9-abcde", "status.podIP": "10.1.2.3"}
    for variable in CONTAINER["env"]:
        value = variable.get("value") or downward[variable["valueFrom"]["fieldRef"]["fieldPath"]]
        environ[variable["name"]] = re.sub(r"\$\((\w+)\)", lambda found: environ[found[1]], value)

    settings = from_environ(environ, "another-name")

    assert settings.instance == downward["metadata.name"]
    assert settings.advertised_url == "https://10.1.2.3:8443"
    assert settings.auth_method == "kubernetes"
    mounted = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert str(Path(settings.jwt_file).parent) in mounted
    assert str(Path(settings.vault_ca_cert).parent) in mounted
    assert settings.listen_port == CONTAINER["ports"][0]["containerPort"]


def test_the_probes_are_the_sidecar_s_own():
    app = flask.Flask(__name__)
    app.register_blueprint(blueprint(engine=None))
    served = {rule.rule for rule in app.url_map.iter_rules()}

    assert {CONTAINER[probe]["httpGet"]["path"] for probe in ("readinessProbe", "livenessProbe")} <= served
    assert {CONTAINER[probe]["httpGet"]["scheme"] for probe in ("readinessProbe", "livenessProbe")} == {"HTTPS"}


def test_the_pod_may_do_nothing_that_the_restricted_standard_forbids():
    namespace = of_kind("Namespace", DEPLOY / "sidecar.yaml")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert POD["securityContext"]["runAsNonRoot"]
    assert POD["securityContext"]["runAsUser"] > 0
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert POD["automountServiceAccountToken"] is False
    assert POD["terminationGracePeriodSeconds"] > DRAIN_SECONDS


def test_every_selector_finds_the_sidecar():
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    sidecar = DEPLOY / "sidecar.yaml"
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert of_kind("Service", sidecar)["spec"]["selector"].items() <= labels.items()
    assert of_kind("PodDisruptionBudget", sidecar)["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert of_kind("NetworkPolicy", sidecar)["spec"]["podSelector"]["matchLabels"].items() <= labels.items()
    assert of_kind("PodDisruptionBudget", sidecar)["spec"]["minAvailable"] < DEPLOYMENT["spec"]["replicas"]


def read_paths() -> Iterator[tuple[str, str]]:
    """What the example workloads read: mount and path."""
    for document in documents(*(DEPLOY / "examples").glob("*.yaml")):
        if document["kind"] == "Deployment":
            annotations = document["spec"]["template"]["metadata"]["annotations"]
            for name, value in annotations.items():
                if "/agent-inject-secret-" in name:
                    yield tuple(value.split("/", 1))
                elif "/agent-inject-template-" in name:
                    yield tuple(re.search(r'secret "([^"]+)"', value)[1].split("/", 1))
        elif "path" in document.get("spec", {}):
            mount, path = document["spec"].get("mount"), document["spec"]["path"]
            yield (mount, path) if mount else tuple(path.split("/", 1))


@pytest.mark.parametrize(("mount", "path"), list(read_paths()))
def test_the_examples_read_what_there_is(mount, path):
    if mount == "salesforce":
        assert KV_PATH.fullmatch(path)
    else:
        assert mount == "sf"
        assert any(description.regex.fullmatch(path) for description in (api.STATIC_CREDS, api.CREDS))
