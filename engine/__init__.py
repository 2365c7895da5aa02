"""The live loop of mimicam, its command line, and what a frame goes through."""

import os

# No picture that mimicam reads is larger; OpenCV refuses a file that claims to be before it unpacks it.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(8192 * 8192))

# Before NumPy is loaded: OpenBLAS's threads keep a core busy between two small products, 0.6 of it at 30 pictures a second.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
