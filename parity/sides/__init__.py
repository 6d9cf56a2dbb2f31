"""A model of either engine, and the reference, asked for the same things with NumPy arrays."""
