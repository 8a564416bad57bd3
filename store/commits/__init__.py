"""One transaction: what a writer brings, and how far it has come."""
