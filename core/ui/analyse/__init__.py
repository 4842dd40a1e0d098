"""What the page Analyse a checkpoint alone shows."""
