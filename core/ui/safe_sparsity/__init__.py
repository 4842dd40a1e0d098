"""What only the page Safe sparsity shows."""
