"""What only the page Reader results shows."""
