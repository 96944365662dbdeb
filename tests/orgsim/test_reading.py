"""JSON laid over frozen records."""

from dataclasses import dataclass, field

import pytest

from salesforce_orgsim.reading import SettingsError, as_json, change, snake_case


@dataclass(frozen=True)
class Inner:
    depth: int = 1


@dataclass(frozen=True)
class Outer:
    switch: bool = False
    ratio: float = 0.5
    maybe: bool | None = None
    names: tuple[str, ...] = ()
    inner: Inner = field(default_factory=Inner)
    mode: str = field(default="slow", metadata={"choices": ("slow", "fast")})


def test_names_are_read_in_either_spelling():
    assert snake_case("minVersion") == snake_case("min_version") == "min_version"
    assert snake_case("terminateUserSessionsWhenAdminResetsPassword").startswith("terminate_user_sessions_when_admin")


def test_values_are_laid_over_those_that_are_there():
    changed = change(Outer(names=("a",)), {"ratio": 2, "maybe": True, "inner": {"depth": 3}}, "outer")
    assert changed == Outer(ratio=2.0, maybe=True, names=("a",), inner=Inner(3))
    assert change(changed, {"maybe": None}, "outer").maybe is None


def test_all_faults_are_reported_together():
    document = {"swich": True, "switch": 1, "ratio": -1, "names": "a", "inner": {"depth": True}, "mode": "medium"}
    with pytest.raises(SettingsError) as caught:
        change(Outer(), document, "outer")
    assert len(caught.value.faults) == 6
    assert "did you mean 'switch'?" in caught.value.faults[0]
    assert any("outer.inner.depth" in fault for fault in caught.value.faults)
    assert any("slow, fast" in fault for fault in caught.value.faults)


def test_what_is_no_object_is_refused():
    with pytest.raises(SettingsError, match="must be an object"):
        change(Outer(), ["switch"], "outer")


def test_fields_can_be_left_out_when_a_record_is_shown():
    assert as_json(Inner(2)) == {"depth": 2}
    assert "names" not in as_json(Outer(), leave_out=("names",))
