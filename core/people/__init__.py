"""Who is looking, what they may see, and the log of what they saw."""
