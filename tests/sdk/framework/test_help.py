"""Path-help."""

from dataclasses import dataclass

from vault_plugin_sdk.framework.fields import BOOLEAN, DURATION, LIST, SECRET, TEXT, Field, field, fields_of
from vault_plugin_sdk.framework.help import backend_help, find, path_help
from vault_plugin_sdk.framework.path import Description
from vault_plugin_sdk.framework.secretstr import SecretStr

ROLE = Description(
    "roles/{name}",
    help="A role.",
    fields={
        "kind": Field(TEXT, "Its kind.", choices=("a", "b"), immutable=True),
        "on": Field(BOOLEAN, "Whether it is on.", default=True),
    },
    query={"brief": Field(BOOLEAN, "Say less.", default=False)},
    detail="More.",
    examples=("vault read engine/roles/crm",),
)
INFO = Description("info", help="Info.")


def test_a_paths_help_tells_its_fields_with_kind_choices_and_default():
    text = path_help(ROLE)
    for part in (
        "roles/{name}",
        "A role.",
        "More.",
        "    $ vault read engine/roles/crm",
        "## FIELDS",
        "kind (string, a | b, required, set once)",
    ):
        assert part in text
    assert "on (boolean, default true)" in text
    assert "## PARAMETERS OF A READ" in text


def test_fields_of_a_record_tell_what_a_new_one_has():
    @dataclass(frozen=True)
    class Role:
        username: str = field(TEXT, "Whose.", immutable=True)
        ttl: int = field(DURATION, "How long.", default=600, minimum=5, maximum=3600)
        on: bool = field(BOOLEAN, "Whether it is on.", default=False)
        hosts: tuple[str, ...] = field(LIST, "Where.", default=())
        password: SecretStr = field(SECRET, "Its password.", default=SecretStr("hunter2"))

    text = path_help(Description("roles/{name}", help="A role.", fields=fields_of(Role)))
    for part in (
        "username (string, required at first, set once)",
        "ttl (duration, default 600 s, at least 5 s, at most 3600 s)",
        "on (boolean, default false)",
        "hosts (list)",
        "password (secret)",
    ):
        assert part in text


def test_a_path_without_fields_says_nothing_of_them():
    assert "##" not in path_help(INFO)


def test_the_engines_help_has_a_line_for_each_path():
    text = backend_help("An engine.", [ROLE, INFO])
    assert text.startswith("An engine.")
    assert text.index("roles/{name}") < text.index("info")


def test_a_path_and_its_collection_have_one_help():
    assert find([ROLE, INFO], "roles/crm") is ROLE
    assert find([ROLE, INFO], "roles/") is ROLE
    assert find([ROLE, INFO], "roles") is ROLE
    assert find([ROLE, INFO], "info") is INFO
    assert find([ROLE, INFO], "") is None
    assert find([ROLE, INFO], "other") is None
