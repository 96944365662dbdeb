"""Lists in pages."""

from dataclasses import replace

import pytest

from vault_plugin_sdk.framework.fields import TEXT, Field
from vault_plugin_sdk.framework.paging import Page
from vault_plugin_sdk.framework.path import Description, Path, Router
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation, Request
from vault_plugin_sdk.logical.response import Response, listing

ALL = listing(["c", "a", "d", "b"], {"a": {"rank": 1}, "c": {"rank": 3}})


def asked(path, **data):
    match = Router([path]).resolve(Request(Operation.LIST, "roles/", data))
    return match.answer(match.call(None, Caller()))


def listed(handler, **query):
    return Path(Description("roles/{name}", help="A role.", query=query), {Operation.LIST: handler})


PATH = listed(lambda context, caller: ALL)


@pytest.mark.parametrize(
    ("data", "keys"),
    [
        ({"after": "b"}, ["c", "d"]),
        ({"after": "bb"}, ["c", "d"]),
        ({"limit": "2"}, ["a", "b"]),
        ({"after": "a", "limit": 2}, ["b", "c"]),
        ({"after": "a", "limit": -1}, ["b", "c", "d"]),
        ({"after": "", "limit": 0}, ["c", "a", "d", "b"]),
    ],
)
def test_a_list_is_cut_to_what_was_asked_for(data, keys):
    answer = asked(PATH, **data)
    assert answer.data["keys"] == keys
    assert set(answer.data["key_info"]) == {"a", "c"} & set(keys)
    assert answer.warnings == ()


def test_pages_one_after_the_other_are_the_whole_list():
    seen, after = [], ""
    while (page := asked(PATH, after=after, limit=3)).data is not None:
        seen += page.data["keys"]
        after = seen[-1]
    assert seen == ["a", "b", "c", "d"]


def test_a_page_beyond_the_end_is_an_empty_list():
    assert asked(PATH, after="d") == listing([])


def test_what_is_not_a_number_is_refused_and_a_misspelt_parameter_told():
    with pytest.raises(CallerError, match="limit must be"):
        asked(PATH, limit="many")
    assert asked(PATH, aftr="b").warnings == ("unknown field 'aftr'; did you mean 'after'?",)


def test_an_engine_that_declares_them_gets_them_itself():
    path = listed(lambda context, caller, after: Response(data={"keys": [after]}), after=Field(TEXT, "After."))
    assert asked(path, after="b").data == {"keys": ["b"]}


def test_whatever_else_the_answer_says_stays():
    answer = Page(limit=1).of(replace(ALL, warnings=("slow",), wrap_ttl_seconds=5.0))
    assert (answer.warnings, answer.wrap_ttl_seconds) == (("slow",), 5.0)
    assert Page(limit=1).of(Response()) == Response()
