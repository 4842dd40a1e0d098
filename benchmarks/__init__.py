"""What `python -m benchmarks` measures."""
