"""Periods, shifts and stops: what analytics asks of readings."""
