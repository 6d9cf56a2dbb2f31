"""Random models through the check."""
