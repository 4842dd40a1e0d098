"""What the page Forgettability alone shows."""
