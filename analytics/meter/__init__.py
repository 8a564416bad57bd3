"""What one meter saves, without anything to compare it with."""

from analytics.meter.answer import as_answer
from analytics.meter.saving import saving

__all__ = ["as_answer", "saving"]
