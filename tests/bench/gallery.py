"""The pictures of docs/gallery, made anew from the recordings beside the repository.

    python -m tests.bench.gallery

What is said to be planted is put into the recording here; everything else is as it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from clean.witness import hear
from contracts.quality import Reason, words_of
from contracts.tags import TagRule
from gainline.judging.evidence_picture import Caption, Judged, draw

REPOSITORY = Path(__file__).resolve().parents[2]
SENSORS = REPOSITORY.parent / "shared" / "data" / "sensors"
GALLERY = REPOSITORY / "docs" / "gallery"

Planting = Callable[[np.ndarray], None]


@dataclass(frozen=True)
class Picture:
    """One picture: which readings of which recording, what is planted, what must be found."""

    name: str
    title: str
    tag: str
    begin: int
    count: int
    unit: str | None = None
    plant: Planting = lambda _values: None
    found: int = 0  # exactly these reasons are in the picture


def spikes(values: np.ndarray) -> None:
    """Two single readings, and a run of three, off by some degrees."""
    values[[20_060, 20_110]] += (14.0, -11.0)
    values[20_160:20_163] += 12.0


def codes(values: np.ndarray) -> None:
    """A logger that writes its code for "no value"."""
    values[[2060, 2061, 2140]] = -9999.0


def dropouts(values: np.ndarray) -> None:
    """A cable that lets go for moments."""
    values[8080] = 0.0
    values[8130:8133] = 0.0
    values[8170:8172] = np.nan


def stuck(values: np.ndarray) -> None:
    """A sensor that repeats one value for sixty readings."""
    values[30_070:30_130] = values[30_070]


PICTURES = (
    Picture(
        "spike", "Spikes and a short burst, planted, are replaced",
        "gas_turbine/ambient_temperature", 20_020, 200, "°C", spikes, Reason.SPIKE,
    ),
    Picture(
        "sentinel", "A logger's code for no value, planted",
        "wsn/single/m3/humidity", 2000, 200, "%", codes, Reason.SENTINEL,
    ),
    Picture(
        "dropout", "Dropouts to zero and missing values, planted",
        "gas_turbine/turbine_inlet_temperature", 8020, 200, "°C", dropouts,
        Reason.SPIKE | Reason.MISSING,
    ),
    Picture(
        "stuck", "A stuck sensor, planted: doubted, and left alone",
        "gas_turbine/ambient_pressure", 30_000, 200, "mbar", stuck, Reason.FLATLINE,
    ),
    Picture(
        "step", "Loads that switch: every step is kept",
        "steel/usage_kwh", 20_000, 300, "kWh",
    ),
    Picture(
        "upset", "Steam at a sensor: a true upset is kept, though it is rough",
        "wsn/single/m1/humidity", 2300, 240, "%", found=Reason.NOISE,
    ),
    Picture(
        "disturbance", "A step in the cooling water of a simulated reactor is kept",
        "tep/d04/xmv10", 100, 200, "%",
    ),
    Picture(
        "waveform", "Vibration of a damaged bearing is untouched",
        "cwru/169_ir014/vibration", 4000, 400,
    ),
)  # fmt: skip


def main() -> None:
    """Make every picture, and refuse one that does not show what it says."""
    GALLERY.mkdir(exist_ok=True)
    for picture in PICTURES:
        shown = judged(picture)
        found = int(np.bitwise_or.reduce(shown.reasons))
        path = GALLERY / f"{picture.name}.svg"
        said = f"{picture.name:<12}{' '.join(words_of(found)) or 'nothing'} flagged"
        if found != picture.found:
            print(f"{said}, wanted {' '.join(words_of(picture.found)) or 'nothing'}: not drawn")
            continue
        draw(shown, Caption(picture.title, picture.tag, picture.unit), path, "svg")
        print(f"{said}, {path.stat().st_size / 1000:.1f} kB")


def judged(picture: Picture) -> Judged:
    """Judge the whole recording with what is planted in it, and cut out what is shown."""
    folder = picture.tag.partition("/")[0]
    table = pq.read_table(
        SENSORS / folder / "data.parquet", columns=["tag", "source_time", "value"]
    )
    table = table.filter(pc.equal(table["tag"], picture.tag))
    values = np.array(table["value"].to_numpy())
    picture.plant(values)
    table = table.set_column(2, "value", pa.array(values))
    heard = hear(table, lambda _: TagRule(), picture.tag)
    part = slice(picture.begin, picture.begin + picture.count)
    return Judged(
        heard.time_us[part].astype("datetime64[us]"),
        heard.value[part],
        heard.value_clean[part],
        heard.quality[part],
        heard.reasons[part],
        np.full(picture.count, np.nan),  # no band: before and after are to be seen
        np.full(picture.count, np.nan),
    )


if __name__ == "__main__":
    main()
