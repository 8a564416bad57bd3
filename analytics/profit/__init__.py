"""What a gain is worth in money."""

from analytics.profit.economics import Component, Economics, Plant
from analytics.profit.worth import at, cost_plus, push

__all__ = ["Component", "Economics", "Plant", "at", "cost_plus", "push"]
