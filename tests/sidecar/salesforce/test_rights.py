"""What a user may do is seen, or said not to be seen, and never guessed."""

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce.interface import Fault, Lost, OrgRefused, Session, Verdict
from vault_salesforce_sidecar.salesforce.rights import (
    PRIVILEGES,
    assignments_query,
    granted,
    permissions_of,
    privileges,
)

USER = "005000000000001AAA"
SESSION = Session(
    SecretStr("id"), "https://acme.example/services/Soap/u/64.0", "a@b.example", USER, "00D000000000001AAA"
)
EVERYWHERE = frozenset({"PermissionsModifyAllData", "PermissionsManageUsers", "PermissionsApiEnabled"})


def refused(code):
    return OrgRefused(Fault(code, "", "", Verdict.BLOCKED, counts=False, retry_is_safe=False))


class Rights:
    """An org as this look sees it."""

    def __init__(self, columns=EVERYWHERE, rows=(), columns_raise=None, query_raises=None):
        self._columns, self._rows = columns, rows
        self._columns_raise, self._query_raises = columns_raise, query_raises
        self.asked = []

    def columns(self, session, sobject):
        assert (session, sobject) == (SESSION, "PermissionSet")
        if self._columns_raise:
            raise self._columns_raise
        return self._columns

    def query(self, session, soql):
        self.asked.append(soql)
        if self._query_raises:
            raise self._query_raises
        return list(self._rows)


def row(**permissions):
    return {"PermissionSet": permissions}


def test_permissions_of_the_profile_and_of_every_set_count():
    rows = [row(PermissionsModifyAllData=False), row(PermissionsModifyAllData=True), row(PermissionsManageUsers=True)]
    assert privileges(Rights(rows=rows), SESSION, USER) == {"PermissionsModifyAllData", "PermissionsManageUsers"}


def test_a_column_that_the_org_has_not_is_not_asked_for_and_nobodys():
    org = Rights(rows=[row(PermissionsApiEnabled=True)])
    assert permissions_of(org, SESSION, USER, {"PermissionsApiEnabled", "PermissionsUseAnyApiClient"}) == {
        "PermissionsApiEnabled"
    }
    assert "UseAnyApiClient" not in org.asked[0]


def test_an_org_that_has_none_of_the_columns_is_asked_only_whether_the_user_is_seen():
    org = Rights(rows=[row(PermissionsModifyAllData=True)])
    assert permissions_of(org, SESSION, USER, {"PermissionsUseAnyApiClient"}) == frozenset()


@pytest.mark.parametrize(
    "org",
    [
        Rights(columns=frozenset()),
        Rights(columns=frozenset({"PermissionsApiEnabled"})),
        Rights(rows=()),
        Rights(columns_raise=refused("INVALID_TYPE")),
        Rights(columns_raise=refused("NOT_FOUND")),
        Rights(query_raises=refused("INSUFFICIENT_ACCESS")),
        Rights(query_raises=refused("INVALID_FIELD")),
    ],
)
def test_what_is_not_shown_is_not_visible(org):
    assert privileges(org, SESSION, USER) is None


@pytest.mark.parametrize("trouble", [refused("INVALID_SESSION_ID"), Lost()])
def test_other_trouble_is_passed_on(trouble):
    with pytest.raises(type(trouble)):
        privileges(Rights(query_raises=trouble), SESSION, USER)


@pytest.mark.parametrize("user_id", ["", "005", "x' OR Id != '", "005000000000001AA", "005000000000001AAAA"])
def test_only_an_id_is_put_into_the_query(user_id):
    with pytest.raises(ValueError, match="not a user id"):
        assignments_query(user_id, PRIVILEGES)


def test_what_is_no_record_of_a_set_grants_nothing():
    rows = [{}, {"PermissionSet": None}, row(PermissionsManageUsers="true")]
    assert granted(rows, PRIVILEGES) == frozenset()
