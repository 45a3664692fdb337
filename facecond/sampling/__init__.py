"""Plans of what to draw, noise per image, and folders of generated images."""
