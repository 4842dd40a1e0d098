"""What the page Administration alone shows."""
