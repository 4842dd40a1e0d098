"""What the page Class AP alone shows."""
