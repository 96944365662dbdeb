"""Hand in a new security token."""


def test_a_token_is_handed_in_as_a_secret(engine):
    assert engine.ask("update", "security-token/crm", security_token="tok", wait=3).data == {"seen": 3}
    what, role, token = engine.handed_in.asked[0]
    assert (what, role, token.reveal(), "tok" in repr(token)) == ("security_token", "crm", "tok", False)


def test_a_whole_mail_is_handed_in_as_a_secret(engine):
    engine.ask("update", "security-token/crm", mail="From: x\n\nline\n", wait=3)
    what, role, mail = engine.handed_in.asked[0]
    assert (what, role, mail.reveal(), "line" in repr(mail)) == ("security_token", "crm", "From: x\n\nline\n", False)
