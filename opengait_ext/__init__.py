"""OpenGait side of kpstra: host lookup, launcher, SwinGait models with KP-RPE, keypoint data."""
