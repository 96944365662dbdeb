"""An app as an administrator sets it up."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from salesforce_orgsim.app_settings import AppSettings, read_public_key
from salesforce_orgsim.reading import SettingsError, change


def test_the_key_is_read_from_a_certificate_or_as_it_is(app_certificate, public_key):
    assert read_public_key(app_certificate).public_numbers() == read_public_key(public_key).public_numbers()


@pytest.mark.parametrize("text", ["nonsense", "-----BEGIN CERTIFICATE-----\nnonsense\n-----END CERTIFICATE-----"])
def test_what_is_neither_is_refused(text):
    with pytest.raises(SettingsError, match="certificate or a public key"):
        change(AppSettings("a"), {"certificate": text}, "app")


def test_a_key_of_another_kind_is_refused():
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    with pytest.raises(SettingsError, match="RSA"):
        change(AppSettings("a"), {"certificate": pem}, "app")


def test_users_and_profiles_are_preauthorized_by_name():
    app = AppSettings("a", preauthorized_users=("A@crm.example",), preauthorized_profiles=("Robots",))
    assert app.preauthorizes("a@crm.example", "Humans")
    assert app.preauthorizes("b@crm.example", "Robots")
    assert not app.preauthorizes("b@crm.example", "Humans")
