from pathlib import Path

import pyarrow as pa
import pytest

from contracts.errors import ConfigError, DataError
from gainline.files.tables import write_table
from gainline.trial.demo import run_demo

NO_ROWS = pa.table(
    {
        "tag": pa.array([], pa.string()),
        "source_time": pa.array([], pa.timestamp("us", "UTC")),
        "value": pa.array([], pa.float64()),
    }
)
TEXT = pa.table({"tag": ["a"], "source_time": ["2026-01-01"], "value": ["warm"]})


@pytest.mark.parametrize(
    ("table", "words"), [(NO_ROWS, "no rows"), (TEXT, "'source_time' holds string")]
)
def test_a_recording_that_cannot_be_published_is_named_before_anything_is_made(
    tmp_path: Path, table: pa.Table, words: str
) -> None:
    file, out = tmp_path / "recording.parquet", tmp_path / "out"
    write_table(table, file)
    with pytest.raises(DataError, match=words) as raised:
        run_demo(out, recordings=(file,), seed=1)
    assert str(raised.value).startswith(str(file))
    assert not out.exists()


def test_a_folder_with_anything_but_a_demo_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("dear")
    with pytest.raises(ConfigError, match="not an earlier demo"):
        run_demo(tmp_path, recordings=(tmp_path / "recording.parquet",), seed=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
