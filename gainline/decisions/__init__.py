"""What follows from a gain: profit, a pilot, a roll-out."""
