"""What only the page Class AP shows."""
