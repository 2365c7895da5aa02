"""Cut what a network sees out of a warped picture: crops, with what is known of each beside them.

    crop_normalise(picture, backward, matrices, drawings, references, units, crops)

- `picture` (height, width, 3) uint8 BGR, warped by
- `backward` (height, width, 2) float32: which pixel of the photograph each pixel shows, px.
- `matrices` (n, 2, 3) float32: affine, from pixels of a crop to pixels of the picture, both ways at one scale.
- `drawings`, `references` (n, size, size, 3) uint8: what lies beside each crop as it is.
- `units` (n,) float32 > 0: how many pixels of the photograph are one of the crop where nothing is stretched.
- `crops`, written: (n, size, size, CHANNELS) uint8, or (n, CHANNELS, size, size) float16 of the same values by
  `v / 127.5 - 1`. Channels are the picture's three, the drawing's, the reference's, and the stretch.

A crop's pixel is the mean of t x t bilinear readings spread evenly over its square, the picture's edge continued, with the
least t that puts them no more than LARGEST_STEP pixels of the picture apart, over which bilinear reading leaves nothing out.
Rounded half up.

The stretch of a crop's pixel is by how many powers of two the area that it shows is smaller in the photograph than at
rest: `-log2(|det J| / unit^2)`, J being the differences of the bilinear map to the crop pixels right and below (at the
last column and row those of the one before), cut to STRETCH_OCTAVES either way; `128 - stretch * 127 / STRETCH_OCTAVES`,
rounded down: 128 where a part kept its size, less where it was stretched.
"""

from typing import Final

CHANNELS: Final = 10
LARGEST_STEP: Final = 1.4
STRETCH_OCTAVES: Final = 2.0
SMALLEST_AREA: Final = 1e-3  # that has a logarithm
