"""The nodes of one cluster; that they elect, forward and recover is seen in tests/system and tests/faults."""

import pytest

from vault_salesforce.dev.cluster import Cluster


@pytest.fixture
def own(tmp_path):
    def new(name):
        (tmp_path / name).mkdir()
        return tmp_path / name

    return new


def test_the_nodes_share_plugins_key_and_audit_log_and_nothing_else(own, tmp_path):
    nodes = Cluster(own, {}, lambda _: None, count=3).nodes
    assert [node.part.name for node in nodes] == ["vault", "vault-2", "vault-3"]
    for shared in ("plugins", "unseal_key", "audit"):
        (path,) = {getattr(node.shared, shared) for node in nodes}
        assert path.parent == tmp_path / "vault"
    assert len({node.configuration for node in nodes}) == 3


def test_one_node_is_called_as_if_there_were_no_other(own):
    (node,) = Cluster(own, {}, lambda _: None).nodes
    assert node.part.name == "vault"


def test_a_cluster_that_was_never_started_is_stopped_without_harm(own):
    Cluster(own, {}, lambda _: None, count=2).stop()
