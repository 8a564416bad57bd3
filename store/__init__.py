"""The lake: Parquet segments in a DuckLake catalog, and the SQL that engineers ask."""
