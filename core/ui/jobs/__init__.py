"""What the page Jobs alone shows."""
