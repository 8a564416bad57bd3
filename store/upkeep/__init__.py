"""Fewer files, nothing too old, nothing that was to be forgotten."""
