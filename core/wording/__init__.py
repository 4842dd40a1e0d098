"""Numbers and findings in plain words, the same on every page."""
