"""`minute`, `hour`, `latest`: sums that are kept, and what is newer."""
