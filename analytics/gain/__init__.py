"""What an upgrade gained: alpha and beta, with honest intervals."""

from analytics.gain.estimate import as_answer, fit

__all__ = ["as_answer", "fit"]
