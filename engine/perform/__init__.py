"""Performances as files: recording them, and playing them to the same renderer."""
