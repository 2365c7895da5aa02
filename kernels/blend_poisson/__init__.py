"""Lay a picture over another with its own gradients and the other's colours at the edge: no seam, no colour cast.

    blend_poisson(canvas, layer, mask, out)

- `canvas`, `layer` (height, width, 3) uint8.
- `mask` (height, width) uint8: not 0 where the layer shows. The picture's outermost pixels always count as outside.
- `out` (height, width, 3) uint8, written: outside the mask the canvas; inside `layer + u`, rounded half up and cut to 0 to 255,
  where u is the membrane that equals `canvas - layer` outside and is the mean of its four neighbours everywhere inside.

Perez, Gangnet & Blake, "Poisson Image Editing", SIGGRAPH 2003, section 2 (equation 10, with the layer's gradients for
guidance).
"""
