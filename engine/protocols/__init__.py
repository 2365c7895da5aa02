"""Performances from and to other programs, over UDP."""
