"""Parquet files: written, sorted, read by the row group, written anew without some rows."""
