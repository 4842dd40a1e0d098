"""What the page Safe sparsity alone shows."""
