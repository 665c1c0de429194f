"""Faces between the detector's crop and the aligned one: what alignment is worth (KP-RPE paper, Fig. 5)."""
