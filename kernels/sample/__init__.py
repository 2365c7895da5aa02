"""Read a picture through a backward map, bilinearly.

    sample(source, backward, out)

- `source` (height, width, channels) uint8.
- `backward` (rows, columns, 2) float32: position (x, y) in `source`, px, pixel centres on whole coordinates.
- `out` (rows, columns, channels) uint8, written; rounded half up.

Positions outside of the source read its nearest edge. Weights have 1/256 steps (round half up), which is less than a
grey level of error for neighbours up to 128 apart.
"""
