"""The user was unlocked."""


def test_it_is_done_for_the_caller_who_is_told_what_could_not_be_seen(engine):
    assert engine.ask("update", "unlock/crm").warnings == ("locks are not visible",)
    assert engine.ask("update", "unlock/new", username="new@example.com").warnings == ()
    assert engine.rotations.asked == [("unlock", "crm", "ann", None), ("unlock", "new", "ann", "new@example.com")]
