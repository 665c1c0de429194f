"""Five landmarks of a face, found and used: the KP-RPE paper's detector, and alignment by similarity transforms.

The detector is a RetinaFace on MobileNetV1 x0.25 whose anchors an MLP-Mixer averages, so that landmarks are
differentiable (Kim et al., CVPR 2024, supplement; "Differentiable Face Aligner" in CVLface).
"""

from .align import TEMPLATE, align_faces, moved_landmarks, similarity, similarity_thetas, warp
from .detector import Aligned, Detection, LandmarkDetector

__all__ = [
    "TEMPLATE",
    "Aligned",
    "Detection",
    "LandmarkDetector",
    "align_faces",
    "moved_landmarks",
    "similarity",
    "similarity_thetas",
    "warp",
]
