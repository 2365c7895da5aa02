"""Measurements: each prints its figures with the machine they were taken on."""
