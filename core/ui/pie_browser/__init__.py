"""What the PIE browser alone shows."""
