"""Settings: every fault at once, and no secret in any text."""

import pytest

from vault_salesforce_sidecar.settings import PREFIX, SettingsFault, from_environ, misspelt

LEAST = {"VAULT_ADDR": "https://vault.example.com:8200", "ROLE_ID": "role"}


def read(hostname="host-7", **given):
    return from_environ({PREFIX + name: value for name, value in (LEAST | given).items()}, hostname)


def faults(**given):
    with pytest.raises(SettingsFault) as caught:
        read(**given)
    return caught.value.faults


def test_the_least_is_an_address_and_a_login():
    settings = read()
    assert (settings.mount, settings.kv_mount, settings.engine_kv_mount) == ("sf", "salesforce", "salesforce-engine")
    assert (settings.instance, settings.listen_port, settings.web_threads) == ("host-7", 8443, 16)
    assert settings.waiting_places == 8


def test_an_empty_variable_counts_as_not_set():
    assert read(MOUNT="", SLOTS="").slots == 64


def test_all_faults_come_at_once_and_name_their_variables():
    found = faults(VAULT_ADDR="vault", SLOTS="many", WEB_THREADS="8", LOG_LEVEL="loud", ROLE_ID="")
    names = ("VAULT_ADDR", "SLOTS", "WEB_THREADS", "LOG_LEVEL", "AUTH_METHOD")
    assert len(found) == len(names)
    assert all(fault.startswith(PREFIX + name) for fault, name in zip(found, names, strict=True))


def test_without_anything_the_address_is_missing():
    with pytest.raises(SettingsFault, match="VAULT_SALESFORCE_VAULT_ADDR is not set"):
        from_environ({}, "host")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"VAULT_ADDR": "http://vault.example.com"}, "must begin with https://"),
        ({"VAULT_ADDR": "https://u:p@vault"}, "must be a scheme and a host"),
        ({"VAULT_ADDR": "https://one:8200,http://two:8200"}, "must begin with https://"),
        ({"VAULT_ADDR": " , "}, "names no address"),
        ({"ADVERTISED_URL": "http://127.0.0.1:1"}, "must begin with https://"),
        ({"MOUNT": "/sf/"}, "must be a mount's path"),
        ({"MOUNT": "salesforce"}, "three different mounts"),
        ({"INSTANCE": "a/b"}, "must be letters, digits"),
        ({"LISTEN_HOST": "0.0.0.0"}, "no address that a plugin can call"),  # noqa: S104 - it is refused
        ({"LISTEN_HOST": "::"}, "no address that a plugin can call"),
        ({"LISTEN_PORT": "70000"}, "must be at most 65535"),
        ({"AUTH_METHOD": "token"}, "needs one of"),
        ({"AUTH_METHOD": "token", "VAULT_TOKEN": "hvs.x", "VAULT_TOKEN_FILE": "/t"}, "needs one of"),
        ({"SECRET_ID": "secret-x", "SECRET_ID_FILE": "/s"}, "only one of"),
        ({"AUTH_METHOD": "ldap"}, "must be one of approle, kubernetes, jwt, token"),
        ({"AUTH_METHOD": "kubernetes"}, "needs VAULT_SALESFORCE_AUTH_ROLE"),
        ({"AUTH_METHOD": "jwt", "AUTH_ROLE": "side"}, "needs VAULT_SALESFORCE_JWT_FILE"),
        ({"WRAPPED_SECRET_ID": "secret-x"}, "needs VAULT_SALESFORCE_STATE_DIRECTORY"),
        ({"WRAPPED_SECRET_ID_FILE": "/w"}, "needs VAULT_SALESFORCE_STATE_DIRECTORY"),
        ({"SALESFORCE_PROXY": "proxy.example.com:3128"}, "must be an address such as http://proxy.example.com:3128"),
        ({"SALESFORCE_PROXY": "socks5://proxy.example.com"}, "must be an address such as"),
        ({"SALESFORCE_PROXY": "http://user:secret-x@proxy.example.com"}, "without a user"),
        ({"SALESFORCE_PROXY_CREDENTIALS": "user:secret-x"}, "needs VAULT_SALESFORCE_SALESFORCE_PROXY"),
        (
            {"SECRET_ID_FILE": "/s", "WRAPPED_SECRET_ID": "secret-x", "STATE_DIRECTORY": "/d"},
            "only one of VAULT_SALESFORCE_SECRET_ID_FILE and VAULT_SALESFORCE_WRAPPED_SECRET_ID may be set",
        ),
    ],
)
def test_each_fault_is_one_sentence_without_the_secret(given, sentence):
    (fault,) = faults(**given)
    assert sentence in fault
    assert "hvs.x" not in fault
    assert "secret-x" not in fault


@pytest.mark.parametrize("address", ["http://127.0.0.1:8200", "http://localhost:8200", "http://[::1]:8200"])
def test_plain_http_is_for_loopback(address):
    assert read(VAULT_ADDR=address).vault_addr == (address,)


def test_a_cluster_has_an_address_for_each_node():
    assert read(VAULT_ADDR="https://one:8200, https://two:8200").vault_addr == ("https://one:8200", "https://two:8200")


def test_a_hosts_name_that_is_no_name_must_be_replaced():
    with pytest.raises(SettingsFault, match="INSTANCE is not set"):
        read(hostname="-")
    assert read(hostname="-", INSTANCE="one").instance == "one"


@pytest.mark.parametrize(
    ("given", "mount"),
    [
        ({}, "approle"),
        ({"AUTH_METHOD": "kubernetes", "AUTH_ROLE": "side"}, "kubernetes"),
        ({"AUTH_METHOD": "jwt", "AUTH_ROLE": "side", "JWT_FILE": "/j"}, "jwt"),
        ({"AUTH_METHOD": "jwt", "AUTH_ROLE": "side", "JWT_FILE": "/j", "AUTH_MOUNT": "ci/jwt"}, "ci/jwt"),
    ],
)
def test_an_auth_method_is_mounted_at_its_own_name_unless_another_is_said(given, mount):
    assert read(**given).auth_mount == mount


def test_a_secret_id_may_come_wrapped():
    assert read(WRAPPED_SECRET_ID_FILE="/w", STATE_DIRECTORY="/d").secret_id_is_wrapped
    assert not read(SECRET_ID_FILE="/s").secret_id_is_wrapped


def test_all_that_a_login_lacks_is_said_at_once():
    assert len(faults(AUTH_METHOD="jwt")) == 2


def test_secrets_do_not_print():
    settings = read(AUTH_METHOD="token", VAULT_TOKEN="hvs.x", SECRET_ID="secret-x")
    assert "hvs.x" not in repr(settings)
    assert "secret-x" not in str(settings)
    assert settings.vault_token.reveal() == "hvs.x"


def test_a_misspelt_setting_is_pointed_out_and_a_services_variables_are_not():
    environ = {
        "VAULT_SALESFORCE_MAILBOX_ROOTS": "/mail",
        "VAULT_SALESFORCE_MOUNT": "sf",
        "VAULT_SALESFORCE_SERVICE_HOST": "10.0.0.1",
        "VAULT_SALESFORCE_PORT_8443_TCP": "tcp://10.0.0.1:8443",
    }
    (sentence,) = misspelt(environ)
    assert "did you mean VAULT_SALESFORCE_MAILBOX_ROOT?" in sentence


@pytest.mark.parametrize("address", ["http://proxy.example.com:3128", "https://proxy.example.com"])
def test_a_proxy_may_be_spoken_to_without_tls(address):
    assert read(SALESFORCE_PROXY=address, SALESFORCE_PROXY_CREDENTIALS="u:p").salesforce_proxy == address
