"""A page with nothing but the X-ray viewer, and a route that serves synthetic images to it."""
