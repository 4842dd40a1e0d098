"""What only the page Reader study shows."""
