"""Names that settings and the parts they choose share."""

from __future__ import annotations

from typing import Literal

ModeName = Literal["portrait", "face2face", "swap"]
BlendName = Literal["feather", "multiband", "poisson"]
OcclusionKind = Literal["network", "hands", "none"]
Play = Literal["loop", "pingpong", "hold"]
SliderName = Literal["smile", "brows", "lids", "jaw", "lips", "gaze"]
Corner = Literal["top-left", "top-right", "bottom-left", "bottom-right"]
LandmarkName = Literal["openvino", "mediapipe", "torch-cuda", "tensorrt"]  # what finds a face's points
CropsName = Literal["auto", "small", "large"]  # that networks redraw
DeviceName = Literal["cpu", "gpu", "emulated"]  # where pixels are drawn
