"""The models that this package adds to OpenGait: class name -> the file here that defines it.

The files subclass the host's classes, so a host must be active first (:func:`opengait_ext.host.active.activate`).
"""

MODELS = {
    "DeepGaitV2KPRPE": "deepgaitv2_kprpe",
    "DeepGaitV2StRA": "deepgaitv2",
    "SwinGait2D": "swingait",
    "SwinGait2DHeatmaps": "heatmaps",
    "SwinGait2DKPRPE": "kprpe",
    "SwinGait2DModes": "modes",
    "SwinGait2DTrunk": "trunk",
    "SwinGait3D": "swingait",
    "SwinGait3DKPRPE": "kprpe",
}
