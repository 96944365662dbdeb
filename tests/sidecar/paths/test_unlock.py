"""The user was unlocked."""


def test_it_is_done_on_the_callers_word(engine):
    assert engine.ask("update", "unlock/crm").data is None
    engine.ask("update", "unlock/new", username="new@example.com")
    assert engine.rotations.asked == [("unlock", "crm", "ann", None), ("unlock", "new", "ann", "new@example.com")]
