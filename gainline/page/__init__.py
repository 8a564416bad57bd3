"""The page: health, metrics and the reports made so far."""
