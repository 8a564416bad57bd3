"""The configuration: its keys, their checks, and what rooms take of them."""
