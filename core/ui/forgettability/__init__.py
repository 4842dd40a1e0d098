"""What only the page Forgettability shows."""
