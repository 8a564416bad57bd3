"""What the upgrade earned: panel, gain, profit, report."""
