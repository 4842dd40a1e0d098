"""What the page Reader study alone shows."""
