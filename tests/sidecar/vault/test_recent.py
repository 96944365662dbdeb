"""A read is stale where a later version is known, for as long as an election may take."""

from vault_salesforce_sidecar.vault import recent
from vault_salesforce_sidecar.vault.recent import KNOWN_SECONDS, Recent


def test_an_older_version_is_stale_and_the_same_or_a_later_one_is_not(time):
    known = Recent(time)
    known.knows("a", 3)
    assert [known.is_stale("a", version) for version in (0, 2, 3, 4)] == [True, True, False, False]


def test_a_path_of_which_nothing_is_known_is_never_stale(time):
    assert not Recent(time).is_stale("a", 0)


def test_once_no_standby_lags_any_longer_a_lower_version_is_what_there_is(time):
    known = Recent(time)
    known.knows("a", 3)
    time.seconds = KNOWN_SECONDS
    assert not known.is_stale("a", 0)


def test_what_is_known_does_not_grow_with_the_number_of_paths(time):
    known = Recent(time)
    for number in range(3 * recent._SWEEP_AT):
        time.seconds += KNOWN_SECONDS / recent._SWEEP_AT
        known.knows(f"p{number}", 1)
    assert len(known._known) <= 2 * recent._SWEEP_AT
