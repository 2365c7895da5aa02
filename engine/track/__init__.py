"""Pixels in, face out: MediaPipe, the performer lock, the filter and the calibration."""
