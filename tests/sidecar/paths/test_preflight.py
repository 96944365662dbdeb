"""`preflight/<role>`: the rows, and the worst of them."""

import pytest

from vault_plugin_sdk.logical.errors import CallerError
from vault_salesforce_sidecar.diagnosis.rows import Result, Row

FINE = Row("dns", Result.OK, "203.0.113.1")
HIDDEN = Row("lock_state", Result.NOT_VISIBLE, "needs Manage Users for the identity")
SOON = Row("way_in", Result.WARNING, "SOAP login()", "use another one")
WRONG = Row("user", Result.FAILED, "frozen", "Setup, Users: Unfreeze")


class Diagnosis:
    """Says what it is told to say of `crm` and `org`."""

    def __init__(self, *rows):
        self.rows = list(rows)

    def of_role(self, name):
        if name != "crm":
            raise CallerError(f"there is no role {name!r}", status=404)
        return self.rows

    def of_connection(self, name):
        if name != "org":
            raise CallerError(f"there is no connection {name!r}", status=404)
        return self.rows


@pytest.mark.parametrize("path", ["preflight/crm", "preflight-config/org"])
@pytest.mark.parametrize(
    ("rows", "result"), [((FINE, HIDDEN), "ok"), ((FINE, SOON), "warning"), ((SOON, WRONG, FINE), "failed"), ((), "ok")]
)
def test_it_answers_a_row_per_check_and_how_it_ended(engine, path, rows, result):
    engine.diagnosis = Diagnosis(*rows)
    data = engine.ask("read", path).data
    assert data["result"] == result
    assert data["checks"] == [row.to_json() for row in rows]


@pytest.mark.parametrize("path", ["preflight/nobody", "preflight-config/nobody"])
def test_what_is_not_there_is_404(engine, path):
    engine.diagnosis = Diagnosis(FINE)
    with pytest.raises(CallerError) as refused:
        engine.ask("read", path)
    assert refused.value.status == 404
