"""Who may read a user's login history."""

from datetime import UTC, datetime

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.salesforce import faults
from vault_salesforce_sidecar.salesforce.interface import LoginRow, OrgRefused, Session
from vault_salesforce_sidecar.salesforce.login_rows import MAY_LOOK, visible_logins

NOW = datetime(2030, 1, 1, tzinfo=UTC)
OTHER, ADMIN = "005000000000001AAA", "005000000000002AAA"
SESSION = Session(SecretStr("s"), "https://a.my.salesforce.com/x", "admin@acme.example", ADMIN, "00D000000000001AAA")
ROW = LoginRow(NOW, "Success", "203.0.113.9", "N/A", "Other Apex API", "SOAP Partner")


class Org:
    """Shows these rows to somebody with these permissions."""

    def __init__(self, *rows, permissions=(), fault=None):
        self.rows, self.permissions, self.fault = rows, permissions, fault

    def login_history(self, session, user_id, since):
        if self.fault:
            raise OrgRefused(faults.TABLE[self.fault])
        return self.rows

    def columns(self, session, sobject):
        return frozenset({"PermissionsModifyAllData", *MAY_LOOK})

    def query(self, session, soql):
        return [{"PermissionSet": dict.fromkeys(self.permissions, True)}]


@pytest.mark.parametrize("permission", sorted(MAY_LOOK))
def test_no_row_is_told_from_no_right(permission):
    assert visible_logins(Org(permissions=[permission]), SESSION, OTHER, NOW) == ()
    assert visible_logins(Org(), SESSION, OTHER, NOW) is None


def test_rows_that_are_shown_need_no_further_question():
    assert visible_logins(Org(ROW), SESSION, OTHER, NOW) == (ROW,)


def test_everybody_sees_their_own():
    assert visible_logins(Org(), SESSION, ADMIN[:15], NOW) == ()


def test_an_object_that_is_not_shown_is_no_fault_and_another_refusal_is():
    assert visible_logins(Org(fault="INVALID_TYPE"), SESSION, OTHER, NOW) is None
    with pytest.raises(OrgRefused):
        visible_logins(Org(fault="INVALID_SESSION_ID"), SESSION, OTHER, NOW)
