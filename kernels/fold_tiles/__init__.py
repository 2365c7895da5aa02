"""Add all tiles of a repeating pattern up, whatever the size of a tile.

    fold_tiles(picture, left, top, step_x, step_y, fold)

- `picture` (height, width) float32.
- `left`, `top`, px: where the edge of a tile's first sample lies.
- `step_x`, `step_y` > 0, px: size of a sample.
- `fold` (rows, columns) float32, written: a tile. Pixel (y, x) is added to sample
  `(floor((y + 0.5 - top) / step_y) mod rows, floor((x + 0.5 - left) / step_x) mod columns)`.

Positions are float64. The order of additions is free, so implementations may differ by rounding.
"""
