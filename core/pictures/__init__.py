"""X-rays: reading them, serving them, measuring them."""
