"""Explores every order of events in the modelled world, breadth first, and holds it against the promises."""

from collections import deque

from rotation_world import FREE, REST, Org, Physics, Request, Rules, Secret, State, World

from vault_salesforce_sidecar.rotation.machine import MAX_TRIES, Answer, answer

AS_WRITTEN = Rules()
FAULTS, ASKS = 2, 2
ORGS = [
    *(
        Org(self_managed, token, limit)
        for self_managed in (True, False)
        for token, limit in (("trusted", 3), ("needed", 3), ("needed", 5), ("surprise", 5))
    ),
    Org(self_managed=False, token="trusted", limit=5, history=False),
    Org(self_managed=True, token="trusted", limit=5, plugin=True),
    Org(self_managed=True, token="trusted", limit=5, app=True),
    Org(self_managed=True, token="needed", limit=3, app=True),
    Org(self_managed=True, token="trusted", limit=5, admin=True),
    Org(self_managed=True, token="needed", limit=5, app=True, admin=True),
]


def run_out(physics: Physics, w: World) -> World | None:
    """Where the machine comes to rest when nothing else goes wrong, or None."""
    w = w._replace(faults=0, late=())
    for _ in range(4 * MAX_TRIES):
        if w.entry.state in REST:
            return w
        w = next(physics.act(w))[1]
    return None


def helped(physics: Physics, w: World) -> World | None:
    """The same after an operator cleared the lock and said the live password (and token)."""
    ask, kv = physics.rules.ask, (w.kv, w.version)
    right = Secret(w.live, w.generation if physics.org.token != "trusted" else None)
    e = ask(ask(w.entry, Request.UNLOCK, None, kv), Request.RESYNC, right, kv)
    return run_out(physics, w._replace(entry=e, fails=0, unseen=0))


def known(w: World) -> frozenset:
    """Every password that Vault could name: KV's versions and the entry."""
    e = w.entry
    return w.versions | e.kept | {s.password for s in (e.current, e.candidate, e.given) if s}


def broken_promises(physics: Physics, w: World):
    e, org = w.entry, physics.org
    if w.broken:
        yield w.broken
    humans = w.live == "H" and not (w.proof and w.proof.password == "H")  # until somebody told it
    unheard = w.live.startswith("T") and w.live not in w.heard  # a temporary one is nobody's until its answer came
    if w.live not in known(w) and not humans and not unheard:
        yield "1 the live password is known"
    if e.state not in REST and run_out(physics, w) is None:
        yield "4 it comes to rest"
    if e.state in REST - {State.DELETED}:
        end = helped(physics, w)
        if end is None or end.entry.state is not State.SETTLED or end.kv.password != w.live:
            yield "4 an operator can end it"
    if e.state in FREE and not w.late and w.ours and w.live != w.kv.password and not w.drift:
        yield "5 at rest KV is live, or drift is seen"
    for expected in range(w.version + 1):
        says = answer(e, w.version, expected)
        begins = e.state in FREE and expected == w.version
        if (says is Answer.BEGIN) != begins or (says is Answer.DONE and expected >= w.version):
            yield "6 rotate is idempotent"
    behind = org.plugin and w.ours and w.plugin < w.version and e.state in REST
    if behind and not any(name == "push" for name, _ in physics.happen(w)):
        yield "7 the plugin comes to equal KV"


def explore(org: Org, rules: Rules = AS_WRITTEN, faults: int = FAULTS, asks: int = ASKS, *, all_of_it: bool = True):
    """(parent of each world, {promise: first world that breaks it}); or only up to the first such world."""
    physics = Physics(org, rules)
    first = physics.start(faults, asks)
    parents, queue, found = {first: None}, deque([first]), {}
    while queue and (all_of_it or not found):
        w = queue.popleft()
        bad = list(broken_promises(physics, w))
        for promise in bad:
            found.setdefault(promise, w)
        for move in () if bad else (physics.act, physics.happen, physics.request):
            for name, n in move(w):
                if n not in parents:
                    parents[n] = w, name
                    queue.append(n)
    return parents, found


def path(parents, w: World) -> list[str]:
    """What happened on the way to `w`."""
    steps = []
    while parents[w]:
        w, name = parents[w]
        steps.append(name)
    return steps[::-1]


def calm(org: Org) -> tuple[set[State], int]:
    """One rotation, at most one crash or lost message, nobody helps: (how it can end, most logins)."""
    physics = Physics(org._replace(calm=True), AS_WRITTEN)
    first = physics.start(1, 0), 0
    seen, queue = {first}, [first]
    for w, logins in queue:
        for move in (physics.act, physics.happen, physics.request):
            for name, n in move(w):
                after = n, logins + ("LogIn" in name and "before" not in name and "not made" not in name)
                if after not in seen:
                    seen.add(after)
                    queue.append(after)
    ends = {w.entry.state for w, _ in seen if w.entry.state in REST and w.rotations and not w.late}
    waits = {State.AWAITING_TOKEN} if org.token != "trusted" else set()  # on the way only: the mail may still come
    return ends - waits, max(n for _, n in seen)
