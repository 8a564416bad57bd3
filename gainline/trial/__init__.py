"""gainline tried out on a simulated plant or on recordings."""
