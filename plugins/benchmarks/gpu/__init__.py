"""What networks cost on a GPU: images per second and peak memory, all tables on one page that names the card."""
