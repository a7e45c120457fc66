"""Results to look at: one page with everything in it, a grid of pictures, several files at once."""
