"""Lay a picture over a canvas through a matte.

    composite(canvas, layer, matte, left, top)

- `canvas` (height, width, 3) uint8, changed in place.
- `layer` (rows, columns, 3) uint8.
- `matte` (rows, columns) uint8: 0 leaves the canvas, 255 is the layer.
- `left`, `top`: where the layer's first pixel lies on the canvas, px; parts outside of the canvas are cut off.

`canvas + (layer - canvas) * matte / 255`, rounded half up.
"""
