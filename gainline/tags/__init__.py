"""The tag catalogue: shown, corrected, renamed."""
