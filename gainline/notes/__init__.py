"""What people say: taken, listed, put in force."""
