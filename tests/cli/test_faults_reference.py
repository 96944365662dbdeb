"""The reference of faults is what the sidecar goes by."""

from vault_salesforce import faults_reference
from vault_salesforce_sidecar.rotation import findings
from vault_salesforce_sidecar.salesforce import faults, faults_oauth, login_history


def test_the_document_is_current():
    assert faults_reference.DOCUMENT.read_text() == faults_reference.document(), (
        "run: python -m vault_salesforce.faults_reference"
    )


def test_it_has_every_code_with_its_remedy():
    rows = [line for line in faults_reference.document().splitlines() if line.startswith("| `")]
    known = [*faults.TABLE.values(), *(fault for _, fault in faults.BY_MESSAGE)]
    known += [row.fault for row in faults_oauth.ROWS]
    known += [faults.OWN_USER, faults.HOST_NOT_ALLOWED, faults_oauth.NO_APP, findings.NO_USER, findings.UNREACHABLE]
    for fault in known:
        remedy = fault.remedy.replace("<", "&lt;")
        assert any(f"`{fault.code}`" in row and remedy in row for row in rows), fault.code


def test_it_has_every_status_of_the_login_history():
    text = faults_reference.document()
    for words, fault in login_history.STATUSES:
        assert f"`{words}`" in text
        assert fault.remedy.replace("<", "&lt;") in text
