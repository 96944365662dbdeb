"""Credentials in files."""

import pytest

from vault_plugin_sdk.framework.secretstr import SecretStr
from vault_salesforce_sidecar.vault.login.credential import CredentialMissing, check, from_file


def test_white_space_around_it_is_no_part_of_it(tmp_path):
    (tmp_path / "file").write_text("  secret\n")
    assert from_file(str(tmp_path / "file")) == SecretStr("secret")


@pytest.mark.parametrize(
    ("content", "sentence"), [(None, "No such file"), (b" \n", "is empty"), (b"\xff\xfe", "not a text")]
)
def test_a_file_that_has_none_is_named_with_the_reason(tmp_path, content, sentence):
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CredentialMissing, match=sentence) as missing:
        from_file(str(file))
    assert str(file) in str(missing.value)


@pytest.mark.parametrize("text", ["first\nsecond", "ä"])
def test_what_no_header_can_carry_is_not_shown(text):
    with pytest.raises(CredentialMissing) as missing:
        check(SecretStr(text))
    assert text not in str(missing.value)
