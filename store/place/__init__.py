"""Where a store is: its folder, its files, its locks; elsewhere a server and a bucket."""
