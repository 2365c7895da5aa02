"""Change a picture's colours by a table.

    match_colour(picture, table, out)

- `picture` (height, width, 3) uint8.
- `table` (n, n, n, 3) float32, n >= 2: the colour for each blue, green and red, which are evenly spaced from 0 to 255.
- `out` (height, width, 3) uint8, written; may be `picture`.

Between the table's entries trilinear, in float32; rounded half up and cut to 0 to 255. The table is how colours are
matched in Lab without a cube root at each pixel (`engine/render/colour.py`).
"""
