"""Verdicts on command: of files, of a range of time, explained, and learned from history."""
