from __future__ import annotations

import pyarrow as pa
import pytest

from contracts.errors import DataError
from gainline.trial.comparison import compare_with_books
from ingest.plant.plan import PlantPlan
from ingest.plant.simulation import simulate


def test_a_panel_that_equals_the_books_is_said_to() -> None:
    books = simulate(PlantPlan()).books.panel
    compared = compare_with_books(books, books)
    assert compared.exact == compared.compared == books.table.num_rows
    assert (compared.missing, compared.output_max, compared.unit_cost_max) == (0, 0.0, 0.0)


def test_a_line_that_the_books_do_not_know_is_named() -> None:
    books = simulate(PlantPlan()).books.panel
    lines = pa.array(["other"] * books.table.num_rows)
    strange = type(books)(books.table.set_column(0, "line", lines))
    with pytest.raises(DataError, match="the books have no other"):
        compare_with_books(strange, books)
