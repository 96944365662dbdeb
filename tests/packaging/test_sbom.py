"""Bills of materials: each component has the hash of the very wheel that the bundle holds."""

import sbom


def test_a_component_is_found_by_name_however_its_wheel_spells_it(tmp_path):
    lines = ("aa  wheels/pyjwt-2.15.1-py3-none-any.whl", "bb  wheels/vault_plugin_sdk-0.1.0-py3-none-any.whl")
    (tmp_path / "SHA256SUMS").write_text("\n".join((*lines, "cc  INSTALL.txt\n")))
    hashes = sbom._hashes(tmp_path)
    assert hashes == {"pyjwt==2.15.1": "aa", "vault-plugin-sdk==0.1.0": "bb"}
    assert hashes[sbom._plain("PyJWT", "2.15.1")] == "aa"
    assert hashes[sbom._plain("vault.plugin_sdk", "0.1.0")] == "bb"


def test_the_root_says_which_extra_is_described():
    content = {"metadata": {"component": {"name": "vault-salesforce"}}}
    sbom._name(content, sbom.PARTS["vault-salesforce-plugin"], "1.2.3")
    root = content["metadata"]["component"]
    assert root["purl"] == "pkg:pypi/vault-salesforce@1.2.3"
    assert [one["value"] for one in root["properties"]] == ["plugin"]
    content = {"metadata": {"component": {"name": "salesforce-orgsim"}}}
    sbom._name(content, sbom.PARTS["salesforce-orgsim"], "1.2.3")
    assert "properties" not in content["metadata"]["component"]
