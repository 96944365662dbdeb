"""Text that will not print."""

import json
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.secretstr import SecretStr

SECRET = SecretStr("s3cr3t")


@pytest.mark.parametrize(
    "shown",
    [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>40}", "%s" % SECRET, repr([SECRET]), repr({"a": SECRET})],  # noqa: UP031
)
def test_it_does_not_show_itself(shown):
    assert "s3cr3t" not in shown


def test_it_is_not_written_by_accident():
    for attempt in (lambda: json.dumps(SECRET), lambda: pickle.dumps(SECRET), lambda: "" + SECRET):
        with pytest.raises(TypeError) as refused:
            attempt()
        assert "s3cr3t" not in "".join(traceback.format_exception(refused.value))


def test_only_reveal_gives_the_text():
    assert SECRET.reveal() == "s3cr3t"
    assert not hasattr(SECRET, "__dict__")


@given(st.text(), st.text())
def test_two_are_equal_where_their_texts_are_and_never_equal_to_plain_text(one, other):
    assert (SecretStr(one) == SecretStr(other)) is (one == other)
    assert SecretStr(one) != one
    assert hash(SecretStr(one)) == hash(SecretStr(one))


def test_an_empty_one_is_false():
    assert not SecretStr("")
    assert SecretStr("x")
