"""What authors import."""

from vault_plugin_sdk import engine


def test_every_name_is_there_once_and_in_order_of_the_linter():
    assert len(engine.__all__) == len(set(engine.__all__))
    assert all(hasattr(engine, name) for name in engine.__all__)
