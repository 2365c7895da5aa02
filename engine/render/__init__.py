"""Face in, pixels out: the layered warp of a puppet's photograph."""
