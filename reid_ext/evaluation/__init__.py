"""How faces are tested: protocols on the features of a trained network."""
