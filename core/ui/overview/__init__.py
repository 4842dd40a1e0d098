"""What the page Overview alone shows."""
