"""A wrong key is named before anybody connects.

Of gainline.config.connection and gainline.config.certificates.
"""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

import pytest

from contracts.endpoint import Endpoint, endpoint_of
from contracts.errors import ConfigError, ContractError
from contracts.message import Address
from gainline.config.connection import broker_endpoint, broker_topics, cautions
from gainline.config.loading import Settings, load
from gainline.config.mistakes import naming_place
from gainline.config.sections import BrokerSection
from tests.authority import Authority

SECRET = "hunter2 'and' \"more\""


def endpoint(**keys: object) -> Endpoint:
    return broker_endpoint(Settings(broker=BrokerSection(**keys)))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("mqtt://h", "mqtt://h:1883"),
        ("mqtt://h:7/", "mqtt://h:7"),
        ("mqtts://h", "mqtts://h:8883"),
        ("ws://h", "ws://h:80/mqtt"),
        ("ws://h:8080/", "ws://h:8080/"),
        ("wss://h/a/b%20c", "wss://h:443/a/b%20c"),
        ("mqtt://[::1]:5", "mqtt://[::1]:5"),
        ("mqtt://me@h:5", "mqtt://h:5"),
    ],
)
def test_a_url_says_where_and_over_what(url: str, name: str) -> None:
    assert str(endpoint(url=url)) == name


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"url": "http://h"}, "broker.url: 'http://h' is not of the form mqtt://HOST:PORT"),
        ({"url": "h:1883"}, "broker.url: 'h:1883' is not of the form"),
        ({"url": "mqtt://h:0"}, "is not of the form"),
        ({"url": "mqtt://h:99999"}, "is not of the form"),
        ({"url": "mqtt://h/path"}, "is not of the form"),
        ({"url": "ws://h/mqtt?a=b"}, "is not of the form"),
        ({"url": "mqtt://[::1"}, "is not of the form"),
        ({"url": "ws://h/a b"}, "broker.url: the path '/a b' holds what no path may"),
        ({"url": "mqtt://h", "ca_file": "x"}, "broker.ca_file: it is for TLS"),
        ({"url": "ws://h", "cert_file": "x"}, "write wss://"),
        ({"url": "mqtt://me@h", "username": "you"}, "broker.username: it is 'you', and broker.url"),
        ({"password": "x"}, "broker.username: it is missing"),
        ({"username": "a\0b"}, "broker.username: must be at most 65535 bytes"),
        (
            {"username": "a", "password": "x", "password_file": "y"},
            "broker.password_file: there is",
        ),
        (
            {"username": "a", "password_file": "/no/file"},
            "broker.password_file: /no/file cannot be",
        ),
        (
            {"url": "mqtts://h", "ca_file": "/no/file"},
            "broker.ca_file: /no/file cannot be read: No",
        ),
        ({"url": "mqtts://h", "ca_file": "/"}, "broker.ca_file: / cannot be read: Is a directory"),
        ({"url": "mqtts://h", "ca_file": "a\0b"}, "broker.ca_file: 'a\\x00b' cannot be read"),
    ],
)
def test_what_cannot_be_is_named_with_its_key(keys: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigError) as raised:
        endpoint(**keys)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["mqtt://me:hunter2@h", "mqtt://me:hunter2@h:x", "http://me:hunter2@[h", "x:hunter2@h"]
)
def test_a_password_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigError, match=r"broker\.url") as raised:
        endpoint(url=url)
    assert "hunter2" not in str(raised.value)


def test_the_password_comes_from_a_file_or_the_environment_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET + "\n")
    assert endpoint(username="me", password_file=str(file)).password == SECRET
    environment = {"GAINLINE__BROKER__PASSWORD": SECRET, "GAINLINE__BROKER__USERNAME": "12"}
    made = broker_endpoint(load(None, environment=environment))
    assert (made.username, made.password) == ("12", SECRET)
    file.write_text("\n")
    with pytest.raises(ConfigError, match=r"broker\.password_file: .* is empty"):
        endpoint(username="me", password_file=str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="is no text in UTF-8"):
        endpoint(username="me", password_file=str(file))


def test_a_password_is_not_shown_where_settings_are(tmp_path: Path) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text("[broker]\nusername = 'me'\npassword = 'hunter2'\n")
    settings = load(config, environment={})
    for shown in (settings, settings.broker, broker_endpoint(settings)):
        assert "hunter2" not in f"{shown!r} {shown!s}"
        assert "me" in repr(shown)
    config.write_text("[broker]\nurl = 'mqtt://me:hunter2@h'\n")
    assert "hunter2" not in repr(load(config, environment={}))


def test_a_mistake_in_the_broker_has_its_line(tmp_path: Path) -> None:
    config = tmp_path / "gainline.toml"
    config.write_text("[broker]\nurl = 'mqtt://h'\nkey_file = 'x'\n")
    with pytest.raises(ConfigError) as raised, naming_place(config):
        broker_endpoint(load(config, environment={}))
    assert str(raised.value).startswith(f"{config}:3: broker.key_file")


def test_a_version_may_be_a_number_in_the_environment() -> None:
    settings = load(None, environment={"GAINLINE__BROKER__VERSION": "5"})
    assert broker_endpoint(settings).version == "5"
    with pytest.raises(ConfigError, match=r"VERSION: broker\.version: must be one of 3\.1\.1, 5"):
        load(None, environment={"GAINLINE__BROKER__VERSION": "4"})


@pytest.mark.parametrize("topic", ["", "a/#/b", "a+/b", "a\0", "x" * 65_536])
def test_what_is_no_filter_is_named(topic: str) -> None:
    with pytest.raises(ConfigError, match=r"broker\.topics"):
        broker_topics(Settings(broker=BrokerSection(topics=(topic,))))


def test_only_what_leaves_the_machine_in_the_open_needs_a_caution() -> None:
    def said(url: str, **keys: str) -> str:
        return " ".join(cautions(Settings(broker=BrokerSection(url=url, **keys))))

    assert said("mqtt://127.0.0.1") == said("mqtt://localhost") == said("mqtt://[::1]") == ""
    assert said("mqtts://h") == ""
    assert "readings go to mqtt://h:1883 unencrypted" in said("mqtt://h")
    assert "readings and password go" in said("ws://h", username="a", password="b")


def test_a_secret_that_everybody_may_read_needs_a_caution(tmp_path: Path) -> None:
    config, file = tmp_path / "gainline.toml", tmp_path / "password"
    file.write_text("x")
    config.write_text("[broker]\nusername = 'me'\npassword = 'x'\n")
    secret = Settings(broker=BrokerSection(username="me", password_file=str(file)))
    for path, settings in ((config, load(config, environment={})), (file, secret)):
        path.chmod(0o644)
        assert [str(path) in said for said in cautions(settings, config)] == [True]
        path.chmod(0o640)
        assert cautions(settings, config) == []


def test_certificates_that_fit_make_a_strict_context(authority: Authority) -> None:
    cert, key = authority.signed("client")
    made = endpoint(url="mqtts://h", ca_file=authority.ca, cert_file=cert, key_file=key)
    assert made.tls is not None
    assert made.tls.check_hostname
    assert made.tls.verify_mode is ssl.CERT_REQUIRED
    assert made.tls.minimum_version == ssl.TLSVersion.TLSv1_2
    both = Path(cert).with_name("both.pem")
    both.write_text(Path(cert).read_text() + Path(key).read_text())
    assert endpoint(url="wss://h", cert_file=str(both)).is_encrypted


def test_a_certificate_that_does_not_fit_is_named(authority: Authority, tmp_path: Path) -> None:
    cert, key = authority.signed("client")
    locked, text = str(tmp_path / "locked.key"), tmp_path / "text.pem"
    subprocess.run(
        ["openssl", "pkey", "-in", key, "-aes128", "-passout", "pass:x", "-out", locked],
        check=True,
        timeout=30,
    )
    text.write_text("no PEM")
    for keys, words in (
        ({"ca_file": str(text)}, f"broker.ca_file: {text} holds no certificate in PEM"),
        ({"key_file": key}, "broker.cert_file: it is missing"),
        ({"cert_file": cert}, f"broker.key_file: {cert} holds no private key"),
        ({"cert_file": str(text), "key_file": key}, f"broker.cert_file: {text} holds no cert"),
        ({"cert_file": cert, "key_file": str(text)}, f"broker.key_file: {text} holds no private"),
        ({"cert_file": cert, "key_file": authority.signed("b")[1]}, "is not the key of"),
        ({"cert_file": cert, "key_file": locked}, f"broker.key_file: {locked} is encrypted"),
    ):
        with pytest.raises(ConfigError) as raised:
            endpoint(url="mqtts://h", **keys)
        assert words in str(raised.value)


def test_an_endpoint_is_whole_or_not_made() -> None:
    here = Address("127.0.0.1", 1)
    assert endpoint_of(here) == endpoint_of(Endpoint(here))
    with pytest.raises(ContractError, match="TLS belongs to mqtts and wss"):
        Endpoint(here, "mqtts")
    with pytest.raises(ContractError, match="a password without a user name"):
        Endpoint(here, password="x")
