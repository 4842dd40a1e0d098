"""What `prunescope bench` measures."""
