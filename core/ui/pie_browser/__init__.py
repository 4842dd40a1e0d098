"""What only the PIE browser shows."""
