"""Values that a setting does not expect: other types, out of range, empty, nested."""

import math

NUMBERS = [0, -1, 1, 3, 10**9, -2.5, 0.0, math.nan, math.inf]
TEXTS = ["", "x", "1", "ü"]
LISTS = [[], [1], [-1], [0], ["x"], [1, 2, 3], [None]]
MAPPINGS = [{}, {"a": 1}]
VALUES = [None, True, False, *NUMBERS, *TEXTS, *LISTS, *MAPPINGS]
