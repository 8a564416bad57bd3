"""What to do next: a pilot before an upgrade, a roll-out after it."""
