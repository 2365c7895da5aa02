"""Take the stairs out of edges where a backward map jumps: where a near part of the mesh ends in front of a far one.

    soften_edges(picture, backward, limit_px, out)

- `picture` (height, width, 3) uint8: what was sampled through the map.
- `backward` (height, width, 2) float32: the map, source positions (x, y), px.
- `limit_px`: the map jumps between two neighbours, right or below, whose source positions differ by more than this in
  x or y.
- `out` (height, width, 3) uint8, written: at pixels on either side of a jump the mean of the 3 x 3 pixels around, rounded
  half up; elsewhere, and on the picture's outermost pixels, the picture.

All three are C-contiguous.
"""
