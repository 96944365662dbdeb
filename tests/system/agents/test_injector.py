"""A pod whose annotations are those of `docs/consumers.md`: the injector's own configuration, run by a real agent."""

import json
import re
import secrets
import shlex

import pytest
from agent import documented
from injector import HASHICORP, OPENBAO, Pod, cannot_have_a_root_of_its_own
from token_review import TokenReview

pytestmark = pytest.mark.system

NAMESPACE = ACCOUNT = "crm"
FILE = "salesforce.json"


def annotations(account, kubernetes, injector, path="sf/static-creds/crm", **more):
    """The documented ones, for this role and login."""
    text = documented("annotations").replace("sf/static-creds/crm", path.replace("/crm", f"/{account.role}"))
    text = text.replace('"30s"', '"1s"').replace("crm-app", account.role)
    found = dict(re.findall(r'^([\w./-]+): "(.*)"$', text, flags=re.MULTILINE))
    names = {name.removeprefix(HASHICORP.prefix): value for name, value in found.items()}
    names |= {"auth-path": f"auth/{kubernetes.path}"} | more
    return {injector.prefix + name: value for name, value in names.items()}


class Kubernetes:
    """The auth method, and whom it asks."""

    def __init__(self, product, review, path):
        self.path, self.review, self._product = path, review, product
        product.vault.ask("POST", f"v1/sys/auth/{path}", {"type": "kubernetes"})
        product.vault.ask("POST", f"v1/auth/{path}/config", review.configuration())

    def admit(self, app):
        """Let the app's service account read."""
        role = {
            "bound_service_account_names": ACCOUNT,
            "bound_service_account_namespaces": NAMESPACE,
            "token_policies": app.policies(),
            "token_period": "1h",
        }
        self._product.vault.ask("POST", f"v1/auth/{self.path}/role/{app.account.role}", role)


@pytest.fixture
def kubernetes(product):
    """An auth method of the test's own."""
    with TokenReview() as review:
        path = f"kubernetes-{secrets.token_hex(4)}"
        yield Kubernetes(product, review, path)
        product.vault.ask("DELETE", f"v1/sys/auth/{path}")


@pytest.fixture(params=[True, False], ids=["places rewritten", "a root of its own"])
def pod_of(request, tmp_path, kubernetes):
    """Makes a pod; its containers' configuration has the places rewritten, or is untouched."""
    rewritten = request.param
    if not rewritten and (why := cannot_have_a_root_of_its_own()):
        pytest.skip(why)

    def make(injector, service_account=ACCOUNT):
        token = kubernetes.review.token(NAMESPACE, service_account)
        return Pod(tmp_path / "pod", injector, token, file=FILE, rewritten=rewritten)

    return make


def test_the_annotations_become_the_injectors_own_configuration():
    given = {
        "vault.hashicorp.com/agent-inject": "true",
        "vault.hashicorp.com/role": "app",
        "vault.hashicorp.com/agent-inject-secret-CRM": "sf/static-creds/crm",
    }
    assert HASHICORP.configuration(given, "http://vault:8200", init=False) == {
        "auto_auth": {
            "method": {
                "type": "kubernetes",
                "mount_path": "auth/kubernetes",
                "config": {"role": "app", "token_path": "/var/run/secrets/kubernetes.io/serviceaccount/token"},
            },
            "sink": [{"type": "file", "config": {"path": "/home/vault/.vault-token"}}],
        },
        "exit_after_auth": False,
        "pid_file": "/home/vault/.pid",
        "vault": {"address": "http://vault:8200"},
        "template": [
            {
                "destination": "/vault/secrets/crm",
                "contents": '{{ with secret "sf/static-creds/crm" }}{{ range $k, $v := .Data }}'
                "{{ $k }}: {{ $v }}\n{{ end }}{{ end }}",
                "left_delimiter": "{{",
                "right_delimiter": "}}",
            }
        ],
        "template_config": {"exit_on_retry_failure": True},
    }


def hook(pod):
    """The annotation that runs the pod's hook."""
    return {f"agent-inject-command-{FILE}": shlex.join(pod.renders.command)}


@pytest.mark.parametrize("injector", [HASHICORP, OPENBAO], ids=["vault-k8s", "openbao-k8s"])
def test_the_init_container_renders_and_the_sidecar_keeps_the_file(product, app_of, kubernetes, pod_of, injector):
    account = product.account()
    app, pod = app_of(account), pod_of(injector)
    kubernetes.admit(app)
    given = annotations(account, kubernetes, injector, **hook(pod))
    address = product.stack.vault.address

    ended = pod.container("init", injector.configuration(given, address, init=True)).once()
    assert ended.returncode == 0, ended.stderr
    assert pod.renders.credentials() == [product.static_creds(account)]

    sidecar = app.keep(pod.container("sidecar", injector.configuration(given, address, init=False)))
    reads = app.audit.answers(app.paths["static-creds"])
    sidecar.start(lambda: app.audit.answers(app.paths["static-creds"]) >= reads + 2)
    assert pod.renders.versions() == [1]  # the file was there already, byte for byte
    product.rotate(account)
    product.until(lambda: pod.renders.versions() == [1, 2], "version 2 in the pod's file")
    assert json.loads(pod.renders.destination.read_text()) == product.static_creds(account)
    assert set(kubernetes.review.reviewed) == {f"system:serviceaccount:{NAMESPACE}:{ACCOUNT}"}


@pytest.mark.parametrize("pod_of", [True], indirect=True)
def test_a_pod_of_another_service_account_gets_nothing(product, app_of, kubernetes, pod_of):
    account = product.account()
    kubernetes.admit(app_of(account))
    pod = pod_of(HASHICORP, service_account="other")
    given = annotations(account, kubernetes, HASHICORP, **hook(pod))
    ended = pod.container("init", HASHICORP.configuration(given, product.stack.vault.address, init=True)).once()
    assert ended.returncode != 0
    assert "Code: 403" in ended.stderr
    assert "service account name not authorized" in ended.stderr
    assert pod.renders.texts() == []
    assert not pod.renders.destination.exists()


@pytest.mark.parametrize("pod_of", [True], indirect=True)
def test_the_default_template_prints_every_field_and_the_file_stays_as_it_is(product, app_of, kubernetes, pod_of):
    account = product.account()
    app, pod = app_of(account), pod_of(HASHICORP)
    kubernetes.admit(app)
    given = annotations(account, kubernetes, HASHICORP, **hook(pod))
    del given["vault.hashicorp.com/agent-inject-default-template"]
    sidecar = app.keep(
        pod.container("sidecar", HASHICORP.configuration(given, product.stack.vault.address, init=False))
    )
    sidecar.start(lambda: app.audit.answers(app.paths["static-creds"]) >= 3)
    held = product.static_creds(account)
    assert pod.renders.texts() == ["".join(f"{name}: {held[name]}\n" for name in sorted(held))]


@pytest.mark.parametrize("pod_of", [True], indirect=True)
def test_only_the_end_of_the_sidecars_lease_rotates_not_that_of_the_init_containers(
    product, app_of, kubernetes, pod_of
):
    account = product.account(ttl=5, lease_rotation_interval=0)
    app, pod = app_of(account), pod_of(HASHICORP)
    kubernetes.admit(app)
    given = annotations(account, kubernetes, HASHICORP, path="sf/creds/crm", **hook(pod))
    address = product.stack.vault.address
    assert pod.container("init", HASHICORP.configuration(given, address, init=True)).once().returncode == 0
    init_token = pod.token_file.read_text()
    sidecar = app.keep(pod.container("sidecar", HASHICORP.configuration(given, address, init=False)))
    sidecar.start(lambda: len(leases(product, account)) == 2)
    revoke(product, init_token)
    product.until(lambda: len(leases(product, account)) == 1, "the end of the init container's lease")
    # A mark is made before the lease is gone, and stays until there is a new version.
    assert [mark for mark in product.vault.ask("GET", "v1/sf/info").data["due"] if mark["role"] == account.role] == []
    assert product.version(account) == 1
    # What `agent-revoke-on-shutdown` does.
    sidecar.stop()
    revoke(product, pod.token_file.read_text())
    product.until(lambda: product.version(account) == 2, "the rotation after the pod's last lease")


def leases(product, account):
    return product.vault.send("LIST", f"v1/sys/leases/lookup/sf/creds/{account.role}").data.get("keys", [])


def revoke(product, token):
    """End a token, as the end of its time would, and its leases with it."""
    product.stack.vault.api(token).ask("PUT", "v1/auth/token/revoke-self")
