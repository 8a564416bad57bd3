"""The verb `sql`: its shell, and the process that answers within limits."""
