"""The tables of the configuration file: each key with its type, its limits and its default."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal, NewType

import msgspec

from ingest.blocks import JOURNAL_BYTES_MIN
from ingest.frames import MESSAGE_BYTES_MAX
from ingest.noted import DEFAULT_TOPIC
from ingest.topics import DEFAULT_TEMPLATE

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
Text = Annotated[str, msgspec.Meta(min_length=1)]
Fraction = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
# Taken from the environment as it stands there, quotes and all.
Secret = NewType("Secret", str)
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
# A time on the wall.
Wall = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
# Levels of a tag, from either end.
Level = Annotated[int, msgspec.Meta(ge=-256, le=256)]


class Section(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A table of the file; a key that is not listed in it is an error."""


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
    zones: dict[str, str] = {}
    partitions: tuple[Annotated[tuple[str, ...], msgspec.Meta(min_length=1)], ...] = ()


class NotesSection(Section, frozen=True):
    """Where people send notes; an empty topic is nowhere."""

    topic: str = DEFAULT_TOPIC


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
    catalog: Text | None = None
    catalog_password_file: Text | None = None
    data: Text | None = None
    s3_endpoint: Text | None = None
    s3_region: Text = "us-east-1"
    s3_access_key: Text | None = None
    s3_secret_key_file: Text | None = None
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


class PrivateSection(Section, frozen=True):
    """What is done to the readings of the tags that match a pattern."""

    pattern: Text
    drop: tuple[Literal["tag", "text"], ...] = ()
    pseudonymise: tuple[Literal["tag", "value", "text"], ...] = ()
    levels: tuple[Level, ...] = ()


class PrivacySection(Section, frozen=True):
    """What is not stored as it came."""

    key: Secret | None = None
    key_file: Text | None = None
    gateways: tuple[Text, ...] = ()
    rules: tuple[PrivateSection, ...] = ()

    def __repr__(self) -> str:
        """Show everything but the key."""
        shown = {field: getattr(self, field) for field in self.__struct_fields__}
        shown |= {"key": None if self.key is None else "…"}
        return f"PrivacySection({', '.join(f'{key}={value!r}' for key, value in shown.items())})"


class CleanSection(Section, frozen=True):
    """How long a verdict may wait for the readings that follow; the blocks of waveforms."""

    max_delay_s: Positive = 15.0
    block_s: Positive = 1.0


class ShiftSection(Section, frozen=True):
    """One shift of a calendar; over midnight where its end is not later than its start."""

    name: Text
    start: Wall
    end: Wall
    days: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class BreakSection(Section, frozen=True):
    """A part of the shifts that is not planned."""

    start: Wall
    end: Wall


class MaintenanceSection(Section, frozen=True):
    """A planned stop."""

    begins: datetime
    ends: datetime


class CalendarSection(Section, frozen=True):
    """When the sites that match a pattern are planned to produce."""

    shifts: Annotated[tuple[ShiftSection, ...], msgspec.Meta(min_length=1)]
    site: Text = "*"
    zone: Text | None = None
    breaks: tuple[BreakSection, ...] = ()
    holidays: tuple[date, ...] = ()
    maintenance: tuple[MaintenanceSection, ...] = ()


class PanelSection(Section, frozen=True):
    """Which metrics say what a line has made, used and endured."""

    good_count: str = "good_count"
    energy_kwh: str = "energy_kwh"
    material_kg: str = "material_kg"
    state: str = "state"
    mix: str | None = "product_mix"
    ambient_c: str | None = "ambient_c"
    coverage_min: Fraction = 0.9


class KpiSection(Section, frozen=True):
    """Which metrics and states the KPIs are made of, and what a line is planned to make."""

    scrap_count: str | None = "scrap_count"
    rework_count: str | None = "rework_count"
    running: Annotated[tuple[float, ...], msgspec.Meta(min_length=1)] = (1.0,)
    setup: tuple[float, ...] = (3.0,)
    down: tuple[float, ...] = (2.0,)
    unplanned: tuple[float, ...] = ()
    state_holds_s: Positive = 3600.0
    small_stop_s: Positive = 300.0
    units_per_hour: Positive | None = None
    units_per_hour_of: dict[str, Positive] = {}


class PricesSection(Section, frozen=True):
    """Prices of what a good unit consumes, in one currency."""

    currency: str = "EUR"
    energy_per_kwh: NotNegative = 0.18
    material_per_kg: NotNegative = 1.40
    labour_per_hour: NotNegative = 0.0
    maintenance_per_hour: NotNegative = 0.0
    co2_kg_per_kwh: NotNegative = 0.38
    co2_price_per_t: NotNegative = 0.0
    co2_tag: Text | None = None
    co2_source: str = "set by the user"


class PlantSection(Section, frozen=True):
    """What a line makes and spends, from what is known of the plant."""

    hours_per_year: Positive
    units_per_hour: Positive
    oee: Annotated[float, msgspec.Meta(gt=0, le=1)]
    material_cost_per_unit: NotNegative = 0.0
    energy_kwh_per_unit: NotNegative = 0.0
    labour_cost_per_hour: NotNegative = 0.0
    maintenance_cost_per_hour: NotNegative = 0.0


class ComponentSection(Section, frozen=True):
    """A part of the unit cost, and what the upgrade removes of it."""

    name: Text
    share: Share | None = None
    beta: Annotated[float, msgspec.Meta(ge=-LARGEST, lt=1)] | None = None


class EconomicsSection(Section, frozen=True):
    """What a unit sells for and what the upgrade costs; every figure is of one line."""

    pricing: Literal["fixed_price", "cost_plus"] = "fixed_price"
    price_per_unit: Positive | None = None
    margin: Positive = 0.1
    good_units_per_year: Positive | None = None
    unit_cost: Positive | None = None
    energy_kwh_per_unit: NotNegative | None = None
    plant: PlantSection | None = None
    components: tuple[ComponentSection, ...] = ()
    fixed_cost_per_year: NotNegative = 0.0
    investment: NotNegative = 0.0
    running_cost_per_year: NotNegative = 0.0
    demand_per_year: Positive | None = None
    discount_rate: Share = 0.08
    horizon_years: Years = 10
    tax_rate: Share = 0.0
    depreciation_years: Years | None = None


class EconomicsChange(Section, frozen=True):
    """What a scenario says of the economics instead."""

    pricing: Literal["fixed_price", "cost_plus"] | None = None
    price_per_unit: Positive | None = None
    margin: Positive | None = None
    good_units_per_year: Positive | None = None
    unit_cost: Positive | None = None
    fixed_cost_per_year: NotNegative | None = None
    investment: NotNegative | None = None
    running_cost_per_year: NotNegative | None = None
    demand_per_year: Positive | None = None
    discount_rate: Share | None = None
    horizon_years: Years | None = None
    tax_rate: Share | None = None


class PricesChange(Section, frozen=True):
    """What a scenario says of the prices instead."""

    energy_per_kwh: NotNegative | None = None
    co2_kg_per_kwh: NotNegative | None = None
    co2_price_per_t: NotNegative | None = None


class ScenarioSection(Section, frozen=True):
    """The same gain under other economics."""

    name: Text
    economics: EconomicsChange = EconomicsChange()
    prices: PricesChange = PricesChange()


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
