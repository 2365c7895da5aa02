"""Let a mask fade towards its edge, inwards only: nothing shows outside of it.

    feather(mask, radius, matte)

- `mask` (height, width) uint8: 0 is outside, anything else inside. What lies beyond the picture is like its rim.
- `radius` >= 1, px: how far from a straight edge the matte reaches half of its way; it is full at twice that.
- `matte` (height, width) uint8, written: `max(0, 510 * m - 255)` rounded half up, m being the mean, over squares of
  `2 * radius + 1` px, of the mean over such squares of the mask.
"""
