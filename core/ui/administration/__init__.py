"""What only the page Administration shows."""
