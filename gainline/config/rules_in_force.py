"""Says which rules judge: what the judge is told, and a digest of that with the rules' code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from fnmatch import fnmatchcase
from importlib import resources
from typing import NamedTuple

import msgspec

from contracts.tags import Tag
from gainline.config.loading import Settings
from gainline.config.places import kinds_by_hand

# Where the rules are, and what makes them of the configuration.
_CODE = (
    ("clean", "*.py"),
    ("contracts", "tags.py"),
    ("gainline", "places.py"),
    ("gainline", "units.py"),
    ("ingest", "topics.py"),
)


class RulesInForce(NamedTuple):
    """The rules that judge now; others have another digest."""

    digest: str  # SHA-256, in hexadecimal
    configuration: str  # as JSON


def rules_in_force(settings: Settings, known: Mapping[str, Tag]) -> RulesInForce:
    """Tell the rules of a configuration; `known` has the kinds that were set by hand."""
    told = {
        "clean": msgspec.to_builtins(settings.clean),
        "tags": [_said(msgspec.to_builtins(section)) for section in settings.tags],
        "templates": list(settings.ingest.templates),
        "kinds": {name: str(kind) for name, kind in sorted(kinds_by_hand(known).items())},
    }
    configuration = json.dumps(told, ensure_ascii=False, sort_keys=True)
    digest = hashlib.sha256(configuration.encode())
    for package, pattern in _CODE:
        files = [file for file in resources.files(package).iterdir() if file.is_file()]
        for file in sorted(files, key=lambda each: each.name):
            if fnmatchcase(file.name, pattern):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return RulesInForce(digest.hexdigest(), configuration)


def _said(section: dict[str, object]) -> dict[str, object]:
    """Leave out the keys that say nothing, so that a key that is new changes no digest.

    >>> _said({"pattern": "*", "low": None, "sentinels": ()})
    {'pattern': '*'}
    """
    return {key: word for key, word in section.items() if word not in (None, (), [], {})}
