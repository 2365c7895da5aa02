"""Lay what a network drew over the places of the picture that its crops were cut from.

    lay_back(picture, drawn, crops, matrices, detail)

- `picture` (height, width, 3) uint8, changed in place.
- `drawn` (n, size, size, 4) float32: colour BGR in [0, 255] and matte in [0, 1].
- `crops` (n, size, size, >= 3) uint8, or (n, >= 3, size, size) float16 by `v / 127.5 - 1`: the crops, of which the first
  three channels are the picture's.
- `matrices` (n, 2, 3) float32: affine, from pixels of a crop to pixels of the picture, both ways at one scale.
- `detail` in [0, 1]: how much stays of what the picture holds beyond the crop's sharpness, where a crop pixel is two of its own.

One crop after another. Its matte falls to nothing over EDGE_SHARE of its side towards its edge, along both axes, so that
no edge shows. Colour and that matte, of 255, are rounded half up to bytes; FAINT is taken off the matte, and what is left is
spread over the whole range again, rounded half up: over most of a crop networks leave a haze of a few of 255, of colours that
mean nothing. A pixel of the picture reads them, and the crop, bilinearly at its place in the crop, beyond whose outermost
pixels everything is 0; the matte that it reads is rounded half up. The colour is `colour + kept * (picture - crop)`, rounded
half up and cut to a byte, with `kept` = `detail` times how much more than one picture pixel a crop pixel is, at most 1. It is
mixed in as by `composite`.
"""

from typing import Final

EDGE_SHARE: Final = 0.08
FAINT: Final = 8  # of 255
