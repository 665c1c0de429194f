"""The token grid of OpenGait's SwinGait."""

TOKENS = (15, 10)  # rows and columns: the 30 x 20 map that SwinGait resizes to, in patches of 2 x 2
