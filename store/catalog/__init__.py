"""The catalog: attached, made, migrated, listed, checked, copied."""
