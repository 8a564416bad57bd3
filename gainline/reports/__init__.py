"""Reports of a store, by command and by the clock."""
