"""What only the page Analyse a checkpoint shows."""
