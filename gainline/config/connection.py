"""Turns the section `broker` into the endpoint to connect to, and says what is doubtful there."""

from __future__ import annotations

import os
import re
import ssl
import stat
from pathlib import Path
from typing import NoReturn, cast, get_args
from urllib.parse import SplitResult, unquote, urlsplit

from contracts.endpoint import Endpoint, Scheme
from contracts.errors import ConfigError
from contracts.message import Address
from gainline.config.certificates import content_of, verifying
from gainline.config.loading import ENVIRONMENT_PREFIX, Settings
from gainline.config.sections import BrokerSection

# Customary ports: those that IANA has registered for MQTT, and those of HTTP for WebSocket.
PORTS: dict[str, int] = {"mqtt": 1883, "mqtts": 8883, "ws": 80, "wss": 443}
PATH = "/mqtt"  # of a WebSocket that names none, as most brokers have it
PASSWORD_VARIABLE = f"{ENVIRONMENT_PREFIX}BROKER__PASSWORD"
TEXT_BYTES_MAX = 65_535  # of a name, a password or a topic in MQTT
FORMS = "mqtt://HOST:PORT, mqtts://HOST:PORT, ws://HOST:PORT/PATH or wss://HOST:PORT/PATH"


def broker_endpoint(settings: Settings) -> Endpoint:
    """Read the section `broker`; connects to nothing.

    Raises ConfigError naming the key and the fix. No message holds a password.
    """
    broker = settings.broker
    parts = _parts(broker.url)
    scheme = cast("Scheme", parts.scheme)
    username = _username(broker, parts)
    return Endpoint(
        Address(parts.hostname or "", parts.port or PORTS[scheme]),
        scheme,
        _path(broker.url, parts),
        broker.version,
        username,
        _password(broker, username),
        _tls(broker, scheme),
    )


def broker_topics(settings: Settings) -> tuple[str, ...]:
    """Give the filters to subscribe to. Raises ConfigError for what MQTT has not."""
    broker = settings.broker
    if not broker.client_id:
        raise ConfigError("broker.client_id: it is empty; the broker keeps messages by this name")
    _checked("client_id", broker.client_id)
    if not broker.topics:
        raise ConfigError("broker.topics: there is none; '#' receives everything")
    for topic in broker.topics:
        _check_filter(topic)
    return broker.topics


def cautions(settings: Settings, config: Path | None = None) -> list[str]:
    """List what may be meant so and is dangerous if not; `config` is the file of the settings."""
    broker, endpoint = settings.broker, broker_endpoint(settings)
    found = []
    if not endpoint.is_encrypted and not endpoint.is_local:
        what = "readings and password go" if endpoint.password else "readings go"
        found.append(
            f"broker.url: {what} to {endpoint} unencrypted: use mqtts:// or wss://, unless nobody"
            " else reaches that network"
        )
    own = config if broker.password and PASSWORD_VARIABLE not in os.environ else None
    secrets = {f"broker.{key}": getattr(broker, key) for key in ("password_file", "key_file")}
    secrets |= {"broker.password": own, "privacy.key_file": settings.privacy.key_file}
    found += [
        f"{key}: everybody on this machine can read {path}: chmod o-r {path}"
        for key, path in secrets.items()
        if path and _is_open_to_all(Path(path))
    ]
    return found


def _parts(url: str) -> SplitResult:
    """Take a URL apart that is of one of the forms."""
    try:
        parts = urlsplit(url)
        if parts.password is not None:
            raise ConfigError(
                "broker.url: it holds a password; leave it out, and give it in"
                f" broker.password_file or in {PASSWORD_VARIABLE} of the environment"
            )
        is_good = parts.scheme in get_args(Scheme) and bool(parts.hostname) and parts.port != 0
    except ValueError:
        _refuse(url)
    if not is_good or parts.query or parts.fragment:
        _refuse(url)
    return parts


def _refuse(url: str) -> NoReturn:
    shown = re.sub(".*@", "…@", url, flags=re.DOTALL)
    raise ConfigError(f"broker.url: {shown!r} is not of the form {FORMS}")


def _path(url: str, parts: SplitResult) -> str:
    if not parts.scheme.startswith("ws"):
        return _refuse(url) if parts.path.strip("/") else ""
    if not re.fullmatch(r"(/[!-~]*)?", parts.path):
        raise ConfigError(
            f"broker.url: the path {parts.path!r} holds what no path may: write it as %20 and so on"
        )
    return parts.path or PATH


def _username(broker: BrokerSection, parts: SplitResult) -> str | None:
    in_url = unquote(parts.username) if parts.username else None
    if in_url and broker.username and in_url != broker.username:
        raise ConfigError(
            f"broker.username: it is {broker.username!r}, and broker.url names {in_url!r}; give one"
        )
    username = broker.username or in_url
    return username if username is None else _checked("username", username)


def _password(broker: BrokerSection, username: str | None) -> str | None:
    if broker.password and broker.password_file:
        raise ConfigError(
            "broker.password_file: there is a password as well"
            f" (broker.password or {PASSWORD_VARIABLE}); give one of them"
        )
    password: str | None = broker.password or None  # an empty variable says that there is none
    if broker.password_file:
        password = _secret_in(broker.password_file)
    if password is None:
        return None
    if username is None:
        raise ConfigError("broker.username: it is missing; a password needs one")
    return _checked("password_file" if broker.password_file else "password", password)


def _checked(key: str, text: str) -> str:
    if "\0" in text or len(text.encode(errors="replace")) > TEXT_BYTES_MAX:
        raise ConfigError(f"broker.{key}: must be at most {TEXT_BYTES_MAX} bytes, none of them 0")
    return text


def _secret_in(path: str) -> str:
    """Read the password in a file: all of it but the end of its last line."""
    try:
        secret = content_of("password_file", path).decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise ConfigError(f"broker.password_file: {path} is no text in UTF-8") from None
    if not secret:
        raise ConfigError(f"broker.password_file: {path} is empty; write the password into it")
    return secret


def _tls(broker: BrokerSection, scheme: Scheme) -> ssl.SSLContext | None:
    """Make what verifies the broker, and proves who we are where a certificate is given."""
    given = [key for key in ("ca_file", "cert_file", "key_file") if getattr(broker, key)]
    if scheme in ("mqtt", "ws"):
        if given:
            raise ConfigError(
                f"broker.{given[0]}: it is for TLS, and broker.url begins with {scheme}://;"
                f" write {'mqtts' if scheme == 'mqtt' else 'wss'}://"
            )
        return None
    return verifying(broker.ca_file, broker.cert_file, broker.key_file)


def _check_filter(topic: str) -> None:
    levels = topic.split("/")
    is_filter = (
        topic != ""
        and "#" not in "".join(levels[:-1])
        and all(level in {"+", "#"} or not {"+", "#"} & set(level) for level in levels)
    )
    if not is_filter:
        raise ConfigError(
            f"broker.topics: {topic!r} is no filter; + stands for one level, # for all at the end"
        )
    _checked("topics", topic)


def _is_open_to_all(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & stat.S_IROTH)
    except OSError:
        return False
