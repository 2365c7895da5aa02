"""Rasterise a triangle mesh with depth test into a dense backward map.

    warp_mesh(target_px, source_px, triangles, backward, depth)

- `target_px` (n, 3) float32: where the vertices shall appear, px; z grows away from the camera.
- `source_px` (n, 2) float32: where they are in the source picture, px.
- `triangles` (m, 3) int32.
- `backward` (height, width, 2) float32, written: the source position (x, y) of each pixel, linear in the triangle
  that covers it; a pixel that none covers gets its own position.
- `depth` (height, width) float32, written: z of what is seen; infinity where no triangle covers.

A pixel's centre lies on whole coordinates. A triangle covers a centre whose barycentric coordinates are all at least
-1e-6. A triangle a, b, c faces the camera where (b - a) x (c - a) is positive in the target (clockwise on the screen);
one that shows its back, or is smaller than 1e-6 px2, is left out, however it lies in the source. The smallest z wins,
among equals the first triangle. For a mesh that fills a disc and keeps the disc's rim fixed, at least one front covers
every pixel of the disc (the map has degree one), so nothing can tear.
"""
