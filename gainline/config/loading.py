"""The configuration: one TOML file, overridden by the environment, checked key by key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args, get_origin

import msgspec

from contracts.errors import ConfigError
from gainline.config.mistakes import Place, dotted, in_words, line_of
from gainline.config.sections import (
    BrokerSection,
    CalendarSection,
    CleanSection,
    EconomicsSection,
    GainSection,
    IngestSection,
    KpiSection,
    LogSection,
    NotesSection,
    PageSection,
    PanelSection,
    PricesSection,
    PrivacySection,
    ScenarioSection,
    ScheduleSection,
    Secret,
    Section,
    SqlSection,
    StoreSection,
    TagSection,
    UpgradeSection,
)

ENVIRONMENT_PREFIX = "GAINLINE__"


class Settings(Section, frozen=True):
    """The whole file."""

    broker: BrokerSection = BrokerSection()
    ingest: IngestSection = IngestSection()
    notes: NotesSection = NotesSection()
    store: StoreSection = StoreSection()
    tags: tuple[TagSection, ...] = ()
    privacy: PrivacySection = PrivacySection()
    clean: CleanSection = CleanSection()
    calendar: tuple[CalendarSection, ...] = ()
    panel: PanelSection = PanelSection()
    kpi: KpiSection = KpiSection()
    prices: PricesSection = PricesSection()
    economics: EconomicsSection = EconomicsSection()
    scenarios: tuple[ScenarioSection, ...] = ()
    gain: GainSection = GainSection()
    upgrades: tuple[UpgradeSection, ...] = ()
    schedule: tuple[ScheduleSection, ...] = ()
    sql: SqlSection = SqlSection()
    page: PageSection = PageSection()
    log: LogSection = LogSection()


@dataclass(frozen=True)
class Origin:
    """Where the keys come from: a file, and the variables that override some of them."""

    path: Path | None
    text: str
    variables: Mapping[Place, str]

    def of(self, place: Place) -> str:
        """Name the variable that has set a key, else file and line."""
        keys = tuple(step for step in place if isinstance(step, str))
        for set_by, name in self.variables.items():
            shared = min(len(set_by), len(keys))
            if shared and set_by[:shared] == keys[:shared]:
                return name
        return f"{self.path}{line_of(self.text, place)}" if self.path else "environment"


def load(path: Path | None, *, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the file (or none), apply the environment, check every key.

    Raises ConfigError naming the file and line, or the variable, the key and the fix.
    """
    text = _read(path) if path else ""
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise ConfigError(f"{path}: not valid TOML: {problem}") from None
    origin = Origin(path, text, _override(tree, environment))
    _refuse_unknown(tree, Settings, (), origin)
    return _checked(tree, origin)


def with_options(
    settings: Settings,
    *,
    broker: str | None = None,
    store: Path | None = None,
    topics: list[str] | None = None,
) -> Settings:
    """Replace what the command line gives; None leaves the key as it is."""
    if broker is not None:
        section = msgspec.structs.replace(settings.broker, url=broker)
        settings = msgspec.structs.replace(settings, broker=section)
    if topics:
        section = msgspec.structs.replace(settings.broker, topics=tuple(topics))
        settings = msgspec.structs.replace(settings, broker=section)
    if store is not None:
        folder = msgspec.structs.replace(settings.store, folder=str(store))
        settings = msgspec.structs.replace(settings, store=folder)
    return settings


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; `gainline init` writes one") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no text in UTF-8; save it as such") from None
    except OSError as problem:
        raise ConfigError(f"{path}: cannot be read: {problem.strerror}") from None


def _override(tree: dict[str, Any], environment: Mapping[str, str]) -> dict[Place, str]:
    """Set `section.key` from GAINLINE__SECTION__KEY; tell which variable has set what."""
    variables: dict[Place, str] = {}
    for name in sorted(environment):
        if not name.startswith(ENVIRONMENT_PREFIX):
            continue
        keys = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__")
        table = tree
        for key in keys[:-1]:
            table = table.setdefault(key, {})
            if not isinstance(table, dict):
                raise ConfigError(f"{name}: {key} is no section; set it in the file instead")
        table[keys[-1]] = _value(environment[name], _type_of(keys))
        variables[tuple(keys)] = name
    return variables


def _value(text: str, wanted: object) -> Any:  # noqa: ANN401  # any TOML value
    """Read the text of a variable: TOML where it can be, else, and for a text key, itself."""
    if Secret in (wanted, *get_args(wanted)):
        return text
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
    return text if _is_text(wanted) and not isinstance(value, str) else value


def _is_text(wanted: object) -> bool:
    """Tell whether a type is text, one of some words, or either and nothing else."""
    if wanted is str or isinstance(wanted, str):
        return True
    return get_origin(wanted) not in (tuple, dict) and any(map(_is_text, get_args(wanted)))


def _type_of(keys: list[str]) -> object:
    """Find the type of a key; None where there is no such key."""
    kind: Any = Settings
    for key in keys:
        fields = msgspec.structs.fields(kind) if isinstance(kind, type(Section)) else ()
        kind = next((field.type for field in fields if field.name == key), None)
    return kind


def _refuse_unknown(
    tree: Mapping[str, Any], kind: type[Section], where: Place, origin: Origin
) -> None:
    """Raise ConfigError for the first key that no section has, naming the nearest that one has."""
    fields = {field.name: field.type for field in msgspec.structs.fields(kind)}
    for key, value in tree.items():
        place = (*where, key)
        if key not in fields:
            near = get_close_matches(key, fields, n=1, cutoff=0.0)[0]
            raise ConfigError(
                f"{origin.of(place)}: unknown key {dotted(place)}; did you mean"
                f" {dotted((*where, near))}?"
            )
        section = _section_in(fields[key])
        if section is None:
            continue
        if isinstance(value, dict):
            _refuse_unknown(value, section, place, origin)
        for number, table in enumerate(value if isinstance(value, list) else ()):
            if isinstance(table, dict):
                _refuse_unknown(table, section, (*place, number), origin)


def _section_in(kind: Any) -> type[Section] | None:  # noqa: ANN401  # a type or a generic alias
    """Find the section in `Section` or `tuple[Section, ...]`."""
    for candidate in (kind, *get_args(kind)):
        if isinstance(candidate, type) and issubclass(candidate, Section):
            return candidate
    return None


def _checked(tree: Mapping[str, Any], origin: Origin) -> Settings:
    try:
        return msgspec.convert(tree, Settings)
    except msgspec.ValidationError as problem:
        place, words = in_words(str(problem))
        choices = get_args(_type_of([step for step in place if isinstance(step, str)]))
        if words.startswith("Invalid enum"):
            words = f"must be one of {', '.join(map(str, choices))}"
        raise ConfigError(f"{origin.of(place)}: {dotted(place) or 'file'}: {words}") from None
