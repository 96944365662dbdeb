"""Patterns, names, and finding the handler of a request."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vault_plugin_sdk.framework.fields import DURATION, INTEGER, TEXT, Field
from vault_plugin_sdk.framework.path import MAX_NAME, Description, Path, Router, check_name
from vault_plugin_sdk.logical.errors import CallerError
from vault_plugin_sdk.logical.request import Caller, Operation, Request
from vault_plugin_sdk.logical.response import Response

CREATE, READ, UPDATE, PATCH, DELETE, LIST, SCAN, HEADER = (
    Operation.CREATE,
    Operation.READ,
    Operation.UPDATE,
    Operation.PATCH,
    Operation.DELETE,
    Operation.LIST,
    Operation.SCAN,
    Operation.HEADER,
)
NAMES = st.from_regex(r"\A[A-Za-z0-9_]([A-Za-z0-9_.-]{0,60}[A-Za-z0-9_])?\Z")


def said(word):
    return lambda context, caller, **arguments: Response(data={"said": word} | arguments)


ROLE = Path(
    Description(
        "roles/{name}",
        help="A role.",
        fields={"period": Field(DURATION, "Period.", default=60), "note": Field(TEXT, "Note.", default=None)},
        query={"brief": Field(TEXT, "Brief.", default=None)},
    ),
    {READ: said("read"), UPDATE: said("update"), DELETE: said("delete"), LIST: said("list")},
)
INFO = Path(Description("info", help="Info."), {READ: said("info")})
DEEP = Path(Description("a/{one}/b/{two}", help="Deep."), {READ: said("deep"), CREATE: said("create")})
MEMBER = Path(
    Description(
        "sets/{set}/members/{member}",
        help="A member.",
        fields={"rank": Field(INTEGER, "Rank.", default=1), "team": Field(TEXT, "Team.")},
    ),
    {LIST: said("list"), PATCH: said("patch"), UPDATE: said("update")},
)
ROUTER = Router([ROLE, INFO, DEEP, MEMBER])


def ask(operation, path, **data):
    match = ROUTER.resolve(Request(operation, path, data))
    return match.answer(match.call(None, Caller()))


@pytest.mark.parametrize(
    ("operation", "path", "expected"),
    [
        (READ, "roles/crm", {"said": "read", "name": "crm", "brief": None}),
        (UPDATE, "roles/crm", {"said": "update", "name": "crm", "period": 60, "note": None}),
        (CREATE, "roles/crm", {"said": "update", "name": "crm", "period": 60, "note": None}),
        (DELETE, "roles/a.b-c_d", {"said": "delete", "name": "a.b-c_d", "brief": None}),
        (LIST, "roles/", {"said": "list", "brief": None}),
        (LIST, "roles", {"said": "list", "brief": None}),
        (READ, "info", {"said": "info"}),
        (READ, "a/1/b/2", {"said": "deep", "one": "1", "two": "2"}),
        (CREATE, "a/1/b/2", {"said": "create", "one": "1", "two": "2"}),
        (LIST, "sets/s1/members/", {"said": "list", "set": "s1"}),
        (LIST, "sets/s1/members", {"said": "list", "set": "s1"}),
    ],
)
def test_a_request_finds_its_handler_with_names_and_fields(operation, path, expected):
    assert ask(operation, path).data == expected


@pytest.mark.parametrize(
    ("operation", "path", "status"),
    [
        (READ, "nothing", 404),
        (READ, "roles/a/b", 404),
        (READ, "", 404),
        (UPDATE, "info", 405),
        (UPDATE, "a/1/b/2", 405),
        (LIST, "a/1/b/2", 405),
        (LIST, "a/1/b/2/", 405),
        (LIST, "info/", 405),
        (LIST, "roles/crm/", 404),
        (LIST, "sets/-/members/", 400),
        (SCAN, "roles/", 405),
        (SCAN, "nothing/", 404),
        (HEADER, "roles/crm", 405),
        (PATCH, "roles/crm", 405),
        (READ, "roles/", 400),
        (READ, "roles/-x", 400),
        (READ, "roles/x-", 400),
        (READ, "roles/ä", 400),
        (READ, "roles/a b", 400),
        (READ, "roles/" + "x" * 129, 400),
    ],
)
def test_what_finds_none_is_told_apart(operation, path, status):
    with pytest.raises(CallerError) as refused:
        ask(operation, path)
    assert refused.value.status == status


def test_an_unknown_field_is_refused_on_a_write_and_a_warning_on_a_read():
    with pytest.raises(CallerError, match="unknown field 'perod'; did you mean 'period'"):
        ask(UPDATE, "roles/crm", perod=5)
    assert ask(READ, "roles/crm", brif="x").warnings == ("unknown field 'brif'; did you mean 'brief'?",)


@pytest.mark.parametrize(
    ("path", "nearest"),
    [
        ("role/crm", "roles/{name}"),
        ("roles", "roles/{name}"),
        ("roles/a/b", "roles/{name}"),
        ("sets/s", "sets/{set}/members/{member}"),
        ("infos", "info"),
        ("theirs/x", "their/{one}"),
        ("their", "their"),
    ],
)
def test_a_path_that_is_not_there_is_told_with_the_nearest_that_is(path, nearest):
    others = (Description("their", help="Theirs."), Description("their/{one}", help="Theirs."))
    router = Router([ROLE, INFO, DEEP, MEMBER], others)
    with pytest.raises(CallerError) as refused:
        router.resolve(Request(READ, path))
    assert refused.value.sentence == f"there is no path {path!r} at this mount; did you mean {nearest!r}?"


def test_an_operation_that_is_not_there_is_told_with_those_that_are():
    with pytest.raises(CallerError, match=r"patch is not supported at roles/{name}, which takes read, update, delete"):
        ask(PATCH, "roles/crm")


def test_a_tolerant_path_leaves_the_unknown_fields_of_a_write_out_and_says_so():
    description = Description("x", help="X.", fields={"known": Field(TEXT, "Known.", default=None)}, tolerant=True)
    match = Router([Path(description, {UPDATE: said("update")})]).resolve(Request(UPDATE, "x", {"later": 1}))
    assert match.arguments == {"known": None}
    assert match.warnings == ("unknown field 'later'",)


def test_of_many_unknown_fields_only_some_are_named():
    with pytest.raises(CallerError) as refused:
        ask(UPDATE, "roles/crm", **{f"field-{number}": 1 for number in range(50_000)})
    assert refused.value.sentence.count("unknown field") == 10


def test_the_name_in_the_path_wins_over_a_field_of_that_name():
    assert ask(UPDATE, "roles/crm", name="erp").data["name"] == "crm"


def test_the_warnings_of_handler_and_router_are_joined_and_none_leave_the_answer_alone():
    path = Path(ROLE.description, {READ: lambda *_, **__: Response(data={}, warnings=("first",))})
    match = Router([path]).resolve(Request(READ, "roles/crm", {"x": 1}))
    assert match.answer(match.call(None, Caller())).warnings == ("first", "unknown field 'x'")
    assert match.answer(None).warnings == ("unknown field 'x'",)
    assert ask(READ, "info") == Response(data={"said": "info"})


@given(NAMES)
def test_every_name_of_the_shape_finds_its_path(name):
    assert ask(READ, f"roles/{name}").data["name"] == name


@given(st.text())
def test_any_path_is_answered_or_refused_by_the_callers_error(path):
    try:
        ask(READ, path)
    except CallerError as error:
        assert error.status in (400, 404, 405)  # noqa: PT017 - either is right


def test_a_path_that_is_not_there_is_told_in_a_sentence_of_bounded_length():
    with pytest.raises(CallerError, match=r"there is no path 'x{100}' at this mount") as caught:
        ask(READ, "x" * 100_000)
    assert len(caught.value.sentence) < 200


def test_the_longest_name_is_a_name_and_one_more_is_not():
    check_name("role", "x" * MAX_NAME)
    with pytest.raises(CallerError, match="role must be"):
        check_name("role", "x" * (MAX_NAME + 1))
    with pytest.raises(CallerError):
        check_name("role", "x\n")


def test_a_pattern_tells_its_collection_and_its_names():
    assert ROLE.description.collection == "roles/"
    assert INFO.description.collection == "info"
    assert MEMBER.description.collection == "sets/{set}/members/"
    assert MEMBER.description.names == ("set", "member")


def test_a_patch_brings_what_it_changes_and_nothing_else():
    assert ask(PATCH, "sets/s/members/m", team="x").data == {"said": "patch", "set": "s", "member": "m", "team": "x"}
    assert ask(PATCH, "sets/s/members/m", rank=None).data["rank"] == 1
    assert ask(UPDATE, "sets/s/members/m", team="x").data["rank"] == 1
    with pytest.raises(CallerError, match="unknown field 'tem'"):
        ask(PATCH, "sets/s/members/m", tem="x")


def test_a_description_that_names_its_operations_has_a_handler_for_each_and_no_other():
    declared = Description("x/{name}", help="X.", operations=(CREATE, UPDATE, LIST))
    path = Path(declared, {UPDATE: said("update"), LIST: said("list")})
    assert path.operations == (CREATE, UPDATE, LIST)
    assert set(ROLE.operations) == {READ, UPDATE, DELETE, LIST}
    for handlers in ({UPDATE: said("update")}, {UPDATE: said("update"), LIST: said("list"), READ: said("read")}):
        with pytest.raises(ValueError, match="are declared"):
            Path(declared, handlers)
