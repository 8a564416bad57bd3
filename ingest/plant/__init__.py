"""A simulated plant: a year of readings whose upgrades, faults and books are known."""
