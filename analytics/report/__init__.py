"""Makes the report: one HTML file that needs nothing else."""

from analytics.report.page import render

__all__ = ["render"]
