"""What SQL sees, and what it may do."""
