"""No agent ever renders a password that has not logged in yet, whatever becomes of a rotation."""

import sys

import pytest

pytestmark = pytest.mark.system

# The agent's hook sends the file to the test, and waits until the test has looked at the org.
TELL = "import sys, urllib.request as to; to.urlopen(sys.argv[1], open(sys.argv[2], 'rb').read()).read()"
WAYS = ("static-creds", "KV")


class Witness:
    """Judges every render of an account's agents, at that moment, by what the org has seen.

    Attributes:
        account: A new one.
        app: The app of it.
        judged: Of each render, in order: the version, and whether its password had logged in by then.
        after_change: Called while the org waits with its answer to a change.
    """

    def __init__(self, product, hook, app_of):
        self.judged = []
        self.after_change = lambda: None
        self._product, self._hook = product, hook
        self._before = len(self._requests(since=0))
        self._proven = set()
        self.account = product.account()
        self.app = app_of(self.account)
        hook.act = self._called

    def start(self, version):
        """Start an agent, which renders this version; its two files."""
        hook = (sys.executable, "-I", "-c", TELL, self._hook.url)
        agent, renders = self.app.agent(*WAYS, then=hook)
        agent.start(lambda: all(each.versions() == [version] for each in renders.values()))
        return list(renders.values())

    def misbehave(self, **knobs):
        """Turn the org's knobs, and be called after each change."""
        self._product.misbehave(self.account, hook_after_url={"url": self._hook.url}, **knobs)

    def _called(self, body):
        if "password" not in body:
            return self.after_change()
        path = f"users/{self.account.username}/check"
        if self._product.org.ask("POST", path, {"password": body["password"]}).body["password"] and self._logged_in():
            self._proven.add(body["password"])
        return self.judged.append((body["version"], body["password"] in self._proven))

    def _logged_in(self):
        """Whether anybody has logged in since the last change: only its password does."""
        mine = [entry for entry in self._requests(self._before) if entry["username"] == self.account.username]
        changed = max([entry["n"] for entry in mine if entry["applied"]], default=0)
        logins = [entry["n"] for entry in mine if (entry["operation"], entry["outcome"]) == ("login", "success")]
        return max(logins) > changed

    def _requests(self, since):
        return self._product.org.ask("GET", f"requests?since={since}").data


@pytest.fixture
def witness(product, hook, app_of):
    """The witness of a new account."""
    return Witness(product, hook, app_of)


def have(files, versions):
    return all(file.versions() == versions for file in files)


def test_while_a_change_goes_unanswered_the_old_version_stays_in_every_file(product, witness):
    files = witness.start(1)
    witness.misbehave(
        change_and_never_answer={"seconds": 1, "times": 1}, latency_seconds={"seconds": 1, "operation": "login"}
    )
    rotated = product.rotate_meanwhile(witness.account)
    product.until(lambda: product.counted(witness.account)["password_changes"] == 1, "the change, unanswered")
    late = witness.start(1)  # a pod that starts now is given what was proven last
    rotated.result()
    product.until(lambda: have(files, [1, 2]) and have(late, [1, 2]), "version 2 in every file")
    assert set(witness.judged) == {(1, True), (2, True)}
    assert product.is_live(witness.account)


def test_while_a_rotation_is_stuck_its_candidate_is_in_no_file(product, witness):
    files = witness.start(1)
    refusal = {"refuse_before": {"code": "INVALID_LOGIN", "operation": "login"}}
    witness.after_change = lambda: product.misbehave(witness.account, **refusal)
    witness.misbehave()
    assert product.rotate(witness.account).data["state"] == "stuck"
    assert product.counted(witness.account)["password_changes"] == 1
    looks = {path: witness.app.audit.answers(path) + 2 for way, path in witness.app.paths.items() if way in WAYS}
    product.until(lambda: all(witness.app.audit.answers(path) >= looks[path] for path in looks), "two more looks")
    assert have(files, [1])
    late = witness.start(1)
    product.org.ask("DELETE", "misbehave")
    answer = product.vault.ask("POST", f"v1/sf/resync/{witness.account.role}", {"try": "candidate"})
    assert answer.data["version"] == 2
    product.until(lambda: have(files, [1, 2]) and have(late, [1, 2]), "version 2 in every file")
    assert set(witness.judged) == {(1, True), (2, True)}
