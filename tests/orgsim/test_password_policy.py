"""What a policy accepts as a password."""

import pytest

from salesforce_orgsim.password_policy import PasswordPolicy

NAMES = ("app@crm.example", "Ada", "Lovelace")


USUAL = PasswordPolicy()


def objection(password, policy=USUAL, earlier=()):
    return policy.objection(password, names=NAMES, earlier=earlier)


@pytest.mark.parametrize(
    ("complexity", "good", "bad"),
    [
        (0, "abcdefgh", None),
        (1, "abcdefg1", "abcdefgh"),
        (2, "abcdef1!", "abcdefg1"),
        (3, "Abcdefg1", "abcdefg1"),
        (4, "Abcdef1!", "Abcdefg1"),
        (5, "abcdef1!", "abcdefg1"),
    ],
)
def test_each_complexity_demands_its_kinds_of_characters(complexity, good, bad):
    policy = PasswordPolicy(password_complexity=complexity)
    assert objection(good, policy) is None
    if bad:
        assert "must have" in str(objection(bad, policy))


def test_the_usual_complexity_refuses_with_the_vendors_sentence():
    assert objection("abcdefgh") == "Your password must have a mix of letters and numbers."


def test_a_short_password_is_refused():
    assert objection("abc1") == "Your password must be at least 8 characters long."


def test_a_password_of_more_than_16000_bytes_is_refused():
    assert objection("a1" * 8000) is None
    assert objection("a1" * 8000 + "x") is not None
    assert objection("é1" * 6000) is not None


@pytest.mark.parametrize("password", ["Password1", "x-app@crm.example-1", "LOVELACE"])
def test_a_password_that_is_easy_to_guess_is_refused(password):
    assert "easy to guess" in str(objection(password, PasswordPolicy(password_complexity=0)))


def test_the_last_passwords_cannot_be_chosen_again():
    earlier = ["oldest-1", "older-12", "newer-12", "newest-1"]
    assert objection("oldest-1", earlier=earlier) is None
    assert objection("older-12", earlier=earlier) == "invalid repeated password"
    assert objection("newest-1", PasswordPolicy(password_history=0), earlier) is None
