"""Pixels in, a face out."""

import os

os.environ.setdefault("GLOG_minloglevel", "2")  # MediaPipe's start-up chatter, before anything imports it
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
