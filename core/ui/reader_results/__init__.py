"""What the page Reader results alone shows."""
