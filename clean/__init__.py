"""The judge: says of each reading whether it can be trusted, and why."""
