"""What users are called now, as the org tells."""

from types import SimpleNamespace

from vault_salesforce_sidecar.rotation.renamed import called_now, names_by_id

ID = "005000000000001AAA"


class Asked:
    """An org that answers one query."""

    def __init__(self, *rows):
        self.rows, self.queries = rows, []

    def query(self, _session, soql):
        self.queries.append(soql)
        return [{"Id": user_id, "Username": name} for user_id, name in self.rows]

    def admin_session(self):
        return SimpleNamespace()


def test_users_are_asked_for_by_id_in_one_query():
    org = Asked((ID, "new@acme.example"), ("005000000000002AAA", "other@acme.example"))
    assert names_by_id(org, None, [ID, "005000000000002AAA"]) == {
        "005000000000001": "new@acme.example",
        "005000000000002": "other@acme.example",
    }
    assert len(org.queries) == 1


def test_what_is_no_id_is_not_put_into_a_query():
    org = Asked()
    assert names_by_id(org, None, ["", "005' OR Name != '", "00D000000000001AAA"]) == {}
    assert called_now(org, ["", ""]) == {}
    assert org.queries == []


def test_what_is_no_login_name_is_not_believed():
    org = Asked((ID, "new name"), ("005000000000002AAA", None))
    assert called_now(org, [ID]) == {}
