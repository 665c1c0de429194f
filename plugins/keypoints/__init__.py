"""Keypoint files of pose networks and data sets, as COCO's 17 joints (or a face's five points) in pixels."""
