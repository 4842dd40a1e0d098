"""What strangers bring: files, checkpoints, data of their own."""
