"""Other ways to give a network joints than KP-RPE: maps beside the image, a skeleton in it, pooling around them."""
