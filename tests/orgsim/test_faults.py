"""The vendor's refusals."""

import pytest

from salesforce_orgsim import faults
from salesforce_orgsim.faults import KINDS, FaultError

ELEMENTS = {
    faults.LOGIN_FAULT,
    faults.UNEXPECTED_FAULT,
    faults.NEW_PASSWORD_FAULT,
    faults.OLD_PASSWORD_FAULT,
    faults.ID_FAULT,
}


@pytest.mark.parametrize("code", KINDS)
def test_each_code_has_an_error_status_and_one_of_the_fault_elements(code):
    assert 400 <= KINDS[code].status < 600
    assert KINDS[code].element in ELEMENTS


def test_a_fault_reads_code_colon_message():
    assert str(FaultError("INVALID_LOGIN")).startswith("INVALID_LOGIN: Invalid username, password, security token;")
    assert str(FaultError("INVALID_LOGIN", "No.")) == "INVALID_LOGIN: No."


def test_a_code_that_is_not_in_the_table_can_be_sent_all_the_same():
    assert FaultError("NO_SUCH_CODE").kind.status == 400


def test_a_missing_token_reads_like_a_wrong_password_with_advice():
    assert KINDS["LOGIN_MUST_USE_SECURITY_TOKEN"].message.startswith(faults.INVALID_LOGIN_TEXT + " Are you at a new")
