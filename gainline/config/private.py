"""Turns the section `privacy` into what applies its rules, with the key of the pseudonyms."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.errors import ConfigError

if TYPE_CHECKING:
    from gainline.config.sections import PrivacySection, PrivateSection
    from ingest.privacy import Privacy, PrivateTags

# As many as an HMAC-SHA256 gives: RFC 2104 strongly discourages shorter keys.
KEY_BYTES_MIN = 32
VARIABLE = "GAINLINE__PRIVACY__KEY"
_MAKE_ONE = "`openssl rand -hex 32` makes one"


def check_rules(section: PrivacySection) -> None:
    """Check the rules without their key. Raises ConfigError naming the pattern and the fix."""
    for rule in section.rules:
        where = f"privacy.rules: of pattern {rule.pattern!r}"
        if not rule.drop and not rule.pseudonymise:
            raise ConfigError(f"{where}: it does nothing; say what to drop or to pseudonymise")
        if rule.levels and "tag" not in rule.pseudonymise:
            raise ConfigError(f'{where}: it has levels; say pseudonymise = ["tag"] beside them')
        if 0 in rule.levels:
            raise ConfigError(f"{where}: no level is 0; 1 is the first, -1 the last")


def privacy_of(section: PrivacySection) -> Privacy | None:
    """Make what applies the rules; None where there is none.

    Raises ConfigError for a rule that contradicts itself, and for a key that is missing or short.
    """
    from ingest.privacy import Privacy  # noqa: PLC0415  # the configuration is read without it

    check_rules(section)
    if not section.rules and not section.gateways:
        return None
    needs_key = bool(section.gateways) or any(rule.pseudonymise for rule in section.rules)
    # without pseudonyms it only marks broken messages, to know one that is repeated: until the next
    # start
    secret = _key_of(section) if needs_key else secrets.token_bytes(KEY_BYTES_MIN)
    return Privacy([_told(rule) for rule in section.rules], secret, section.gateways)


def _told(rule: PrivateSection) -> PrivateTags:
    from ingest.privacy import PrivateTags  # noqa: PLC0415  # as above

    return PrivateTags(
        rule.pattern,
        is_dropped="tag" in rule.drop,
        levels=rule.levels if "tag" in rule.pseudonymise else None,
        hides_value="value" in rule.pseudonymise,
        hides_text="text" in rule.pseudonymise,
        drops_text="text" in rule.drop,
    )


def _key_of(section: PrivacySection) -> bytes:
    if section.key and section.key_file:
        raise ConfigError(
            f"privacy.key_file: there is a key as well (privacy.key or {VARIABLE}); give one of"
            " them"
        )
    if section.key_file:
        where, key = "privacy.key_file", _read(section.key_file)
    else:
        where, key = "privacy.key", (section.key or "").encode()
    if not key:
        raise ConfigError(
            "privacy.key_file: pseudonyms need a key; name a file with it, or give it in"
            f" {VARIABLE} of the environment: {_MAKE_ONE}"
        )
    if len(key) < KEY_BYTES_MIN:
        raise ConfigError(
            f"{where}: the key has {len(key)} bytes, and who can guess it can tell every pseudonym;"
            f" give {KEY_BYTES_MIN} or more: {_MAKE_ONE}"
        )
    return key


def _read(path: str) -> bytes:
    """Read the key in a file: all of it but the end of its last line."""
    try:
        return Path(path).read_bytes().removesuffix(b"\n").removesuffix(b"\r")
    except (OSError, ValueError) as problem:
        why = problem.strerror if isinstance(problem, OSError) else problem
        raise ConfigError(f"privacy.key_file: {path} cannot be read: {why}") from None
