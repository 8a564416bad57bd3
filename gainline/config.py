"""The configuration: one TOML file, overridden by the environment, checked key by key."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from contracts.errors import ConfigError
from gainline.mistakes import Place, dotted, in_words, line_of
from gainline.private import PrivacySection
from gainline.section import Secret, Section, Text
from ingest.blocks import JOURNAL_BYTES_MIN
from ingest.frames import MESSAGE_BYTES_MAX
from ingest.topics import DEFAULT_TEMPLATE

ENVIRONMENT_PREFIX = "GAINLINE__"

# Beyond it a number is a slip of the keyboard, and infinity would make every figure infinite.
LARGEST = 1e15

Positive = Annotated[float, msgspec.Meta(gt=0, le=LARGEST)]
NotNegative = Annotated[float, msgspec.Meta(ge=0, le=LARGEST)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1 << 30)]
Megabytes = Annotated[int, msgspec.Meta(ge=JOURNAL_BYTES_MIN >> 20, le=1 << 30)]
# With less no query of a lake succeeds.
SqlMegabytes = Annotated[int, msgspec.Meta(ge=64, le=1 << 24)]
PayloadBytes = Annotated[int, msgspec.Meta(ge=1, le=MESSAGE_BYTES_MAX // 2)]
# Up to a thousand years: a rule may keep for ever what others let go.
Days = Annotated[float, msgspec.Meta(gt=0, le=365_000)]
Years = Annotated[int, msgspec.Meta(ge=1, le=100)]
Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class BrokerSection(Section, frozen=True):
    """Where the messages come from."""

    url: str = "mqtt://127.0.0.1:1883"
    version: Literal["3.1.1", "5"] = "3.1.1"
    topics: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)] = ("#",)
    client_id: Text = "gainline-ingest"
    username: Text | None = None
    password: Secret | None = None
    password_file: Text | None = None
    ca_file: Text | None = None
    cert_file: Text | None = None
    key_file: Text | None = None
    commit_marks: bool = True

    def __repr__(self) -> str:
        """Show everything but the password and what may hold one by mistake."""
        shown = {field: getattr(self, field) for field in self.__struct_fields__}
        shown |= {field: "…" for field in ("url", "password") if shown[field] is not None}
        return f"BrokerSection({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


class IngestSection(Section, frozen=True):
    """What is accepted, and how much may wait."""

    journal_limit_mb: Megabytes = 2048
    payload_bytes_max: PayloadBytes = 1024 * 1024
    depth_max: Count = 32
    fields_max: Count = 1000
    string_bytes_max: Count = 4096
    tags_max: Count = 250_000
    tags_per_gateway_max: Count = 50_000
    templates: tuple[str, ...] = (DEFAULT_TEMPLATE,)
    zone: str = "UTC"
    zones: dict[str, str] = msgspec.field(default_factory=dict)
    partitions: tuple[Annotated[tuple[str, ...], msgspec.Meta(min_length=1)], ...] = ()


class KeptTags(Section, frozen=True):
    """How many days what is kept of the tags that match a pattern."""

    pattern: Text
    raw_days: Days | None = None
    clean_days: Days | None = None
    minute_days: Days | None = None
    hour_days: Days | None = None


class RetentionSection(Section, frozen=True):
    """How many days what is kept; without a number for ever."""

    raw_days: Days | None = None
    clean_days: Days | None = None
    minute_days: Days | None = None
    hour_days: Days | None = None
    dead_letters_days: Days | None = None
    dead_letters_mb: Positive | None = None
    rules: tuple[KeptTags, ...] = ()


class StoreSection(Section, frozen=True):
    """Where the lake is, how often it commits, how long it keeps what."""

    folder: Text = "gainline-store"
    commit_interval_s: Positive = 1.0
    retention: RetentionSection = RetentionSection()


class TagSection(Section, frozen=True):
    """What is said of the tags that match a pattern."""

    pattern: str
    kind: str | None = None
    unit: str | None = None
    site: str | None = None
    area: str | None = None
    line: str | None = None
    machine: str | None = None
    metric: str | None = None
    low: float | None = None
    high: float | None = None
    sentinels: tuple[float, ...] = ()
    rate_max: Positive | None = None
    rollover: Positive | None = None
    states: tuple[float, ...] = ()
    rest: tuple[float, ...] = ()
    neighbours: tuple[Text, ...] = ()
    neighbour_tolerance: Positive | None = None
    machine_state: Text | None = None
    smooth: bool | None = None
    source_unit: Text | None = None


class CleanSection(Section, frozen=True):
    """How long a verdict may wait for the readings that follow; the blocks of waveforms."""

    max_delay_s: Positive = 15.0
    block_s: Positive = 1.0


class PanelSection(Section, frozen=True):
    """Which metrics say what a line has made, used and endured."""

    good_count: str = "good_count"
    energy_kwh: str = "energy_kwh"
    material_kg: str = "material_kg"
    state: str = "state"
    mix: str | None = "product_mix"
    ambient_c: str | None = "ambient_c"
    coverage_min: Fraction = 0.9


class PricesSection(Section, frozen=True):
    """Prices of what a good unit consumes, in one currency."""

    currency: str = "EUR"
    energy_per_kwh: NotNegative = 0.18
    material_per_kg: NotNegative = 1.40
    co2_kg_per_kwh: NotNegative = 0.38
    co2_source: str = "set by the user"


class EconomicsSection(Section, frozen=True):
    """What a unit sells for and what the upgrade costs; every figure is of one line."""

    price_per_unit: Positive = 20.0
    good_units_per_year: Positive | None = None
    unit_cost: Positive | None = None
    fixed_cost_per_year: NotNegative = 0.0
    investment: NotNegative = 0.0
    running_cost_per_year: NotNegative = 0.0
    demand_per_year: Positive | None = None
    discount_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.08
    horizon_years: Years = 10


class GainSection(Section, frozen=True):
    """How the gain is fitted."""

    level: Fraction = 0.9
    ramp_periods: Annotated[int, msgspec.Meta(ge=0)] = 0
    anticipation_periods: Annotated[int, msgspec.Meta(ge=0)] = 0


class UpgradeSection(Section, frozen=True):
    """One upgraded line."""

    line: str
    upgraded_on: date


class ScheduleSection(Section, frozen=True):
    """One report that is made by the clock."""

    name: Annotated[str, msgspec.Meta(pattern="^[A-Za-z0-9_-]{1,64}$")]
    cron: str
    zone: str = "UTC"


class SqlSection(Section, frozen=True):
    """How much one statement of `gainline sql` may take."""

    time_limit_s: Positive = 300.0
    memory_limit_mb: SqlMegabytes = 2048


class PageSection(Section, frozen=True):
    """Where the reports and the health of the service are shown."""

    host: str = "127.0.0.1"
    port: Port = 8080
    stale_after_s: Positive = 300.0


class LogSection(Section, frozen=True):
    """How much is said."""

    level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section, frozen=True):
    """The whole file."""

    broker: BrokerSection = BrokerSection()
    ingest: IngestSection = IngestSection()
    store: StoreSection = StoreSection()
    tags: tuple[TagSection, ...] = ()
    privacy: PrivacySection = PrivacySection()
    clean: CleanSection = CleanSection()
    panel: PanelSection = PanelSection()
    prices: PricesSection = PricesSection()
    economics: EconomicsSection = EconomicsSection()
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
