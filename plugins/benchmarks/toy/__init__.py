"""The toy of the KP-RPE paper (Fig. 1): digits placed upright in training, transformed in the test, a shallow ViT.

``python -m plugins toy`` trains every position encoding with several seeds and compares them, beside the control that
knows no keypoints.
"""
