"""The files that people hand in and are given: tables, lists, pictures."""
