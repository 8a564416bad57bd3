"""What runs: the five services, and the threads and processes they are made of."""
