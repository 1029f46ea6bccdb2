"""A picture of the networks that somebody may see: `picture` reads it, `text` and `svg` draw it."""
