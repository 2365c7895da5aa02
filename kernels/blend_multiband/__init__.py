"""Lay a picture over another so that coarse things blend widely and fine ones narrowly.

    blend_multiband(canvas, layer, matte, levels, out)

- `canvas`, `layer` (height, width, 3) uint8.
- `matte` (height, width) uint8: 0 is the canvas, 255 the layer.
- `levels` >= 0: bands above the coarsest; at most so many as leave the coarsest 2 px in its smaller side count.
- `out` (height, width, 3) uint8, written.

Burt & Adelson, "A Multiresolution Spline With Application to Image Mosaics", ACM Transactions on Graphics 1983: each band of
the Laplacian pyramid is mixed by the matte's Gaussian pyramid. Since all of it is linear, one pyramid of `layer - canvas` is
enough: `out = canvas + collapse(pyramid(layer - canvas) * gaussian(matte / 255))`. Going down is (1 4 6 4 1) / 16 both ways,
the picture's rim going on, and every second pixel from the first; going up is bilinear with coarse pixel i at fine pixel
2 i. Float32 inside, rounded half up.
"""
