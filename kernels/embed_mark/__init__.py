"""Add a faint pattern to the brightness of a picture, stronger where the picture is busy and hides it.

    embed_mark(picture, pattern)

- `picture` (height, width, 3) uint8, C-contiguous (ValueError where it isn't), changed in place.
- `pattern` (height, width) int8: UNIT is one grey level where the picture is plain.

The picture is cut into blocks of BLOCK px from its top left. A block's `busy` is the least of what its four quarters
show: `|a - b| + |c - d| + |a - c| + |b - d|` of the green at the quarter's corners (STEP px apart, the picture's last
row and column standing in for what lies beyond). The least, so that a block with an edge in it counts as plain. Its
gain is `min(PLAIN + busy * SLOPE // 8, MOST)`; every channel of a pixel gets `(pattern * gain + 512) >> 10` more, and
stays within 0 and 255.
"""

from typing import Final

BLOCK: Final = 8
STEP: Final = 3  # between a quarter's corners
UNIT: Final = 64  # of the pattern
PLAIN: Final = 16  # gain 1
SLOPE: Final = 3  # 8 is one sixteenth of a grey level for each level of `busy`
MOST: Final = 48  # gain 3
