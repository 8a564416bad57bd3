"""Where a store is: its folder, files and locks, or a server and a bucket elsewhere."""
