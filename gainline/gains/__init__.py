"""What upgrades did: to lines in a panel, to one meter."""
