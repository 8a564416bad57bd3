"""What is wrong with an installation, a broker, a store, a clock."""
