"""What only the page Jobs shows."""
