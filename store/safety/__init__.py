"""Damage found, copies made and brought back."""
