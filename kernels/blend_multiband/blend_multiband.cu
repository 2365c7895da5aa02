// `blend_multiband` in CUDA C++; see the package for the contract.
//
// Levels hold float4: the difference of the three colours and the layer's share, one 16-byte access a pixel. A coarse pixel is
// filtered both ways at once from 25 fine ones, most of which its neighbours have brought into the cache.

#include "pixels.cuh"

__device__ static float4 weighted(float4 outer_a, float4 inner_a, float4 middle, float4 inner_b, float4 outer_b)
{
    const auto sum = [](float oa, float ia, float m, float ib, float ob) { return (oa + ob + 4 * (ia + ib) + 6 * m) * 0.0625f; };
    return make_float4(sum(outer_a.x, inner_a.x, middle.x, inner_b.x, outer_b.x), sum(outer_a.y, inner_a.y, middle.y, inner_b.y, outer_b.y),
                       sum(outer_a.z, inner_a.z, middle.z, inner_b.z, outer_b.z), sum(outer_a.w, inner_a.w, middle.w, inner_b.w, outer_b.w));
}

// The coarse colours at a fine pixel.
__device__ static float4 raised(const float4* coarse, int rows, int columns, int y, int x)
{
    const int y0 = y >> 1, x0 = x >> 1, y1 = min(y0 + (y & 1), rows - 1), x1 = min(x0 + (x & 1), columns - 1);
    const float4 a = coarse[y0 * columns + x0], b = coarse[y1 * columns + x0];
    const float4 c = coarse[y0 * columns + x1], d = coarse[y1 * columns + x1];
    return make_float4((a.x + b.x + c.x + d.x) * 0.25f, (a.y + b.y + c.y + d.y) * 0.25f, (a.z + b.z + c.z + d.z) * 0.25f, 0.0f);
}

extern "C" __global__ void begin(const byte* canvas, const byte* layer, const byte* matte, float4* values, int height, int width)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    const int at = y * width + x;
    const byte *below = canvas + 3 * at, *above = layer + 3 * at;
    values[at] = make_float4(static_cast<float>(above[0] - below[0]), static_cast<float>(above[1] - below[1]),
                             static_cast<float>(above[2] - below[2]), matte[at] * (1.0f / 255));
}

extern "C" __global__ void down(const float4* values, int height, int width, float4* coarse, int rows, int columns)
{
    int x, y;
    if (!place(rows, columns, &x, &y))
        return;
    float4 lines[5];
    for (int i = 0; i < 5; ++i) {
        const int column = max(0, min(2 * x + i - 2, width - 1));
        const auto at = [=](int row) { return values[max(0, min(row, height - 1)) * width + column]; };
        lines[i] = weighted(at(2 * y - 2), at(2 * y - 1), at(2 * y), at(2 * y + 1), at(2 * y + 2));
    }
    coarse[y * columns + x] = weighted(lines[0], lines[1], lines[2], lines[3], lines[4]);
}

// Leaves of the differences what the coarser level does not hold, mixed by the share.
extern "C" __global__ void band(float4* values, int height, int width, const float4* coarse, int rows, int columns)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    float4 v = values[y * width + x];
    const float4 up = raised(coarse, rows, columns, y, x);
    values[y * width + x] = make_float4((v.x - up.x) * v.w, (v.y - up.y) * v.w, (v.z - up.z) * v.w, v.w);
}

extern "C" __global__ void mix(float4* values, int height, int width)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    float4 v = values[y * width + x];
    values[y * width + x] = make_float4(v.x * v.w, v.y * v.w, v.z * v.w, v.w);
}

extern "C" __global__ void add(float4* values, int height, int width, const float4* coarse, int rows, int columns)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    const float4 v = values[y * width + x], up = raised(coarse, rows, columns, y, x);
    values[y * width + x] = make_float4(v.x + up.x, v.y + up.y, v.z + up.z, v.w);
}

extern "C" __global__ void finish(const byte* canvas, const float4* values, byte* out, int height, int width)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    const int at = y * width + x;
    const float4 v = values[at];
    out[3 * at] = to_byte(canvas[3 * at] + v.x);
    out[3 * at + 1] = to_byte(canvas[3 * at + 1] + v.y);
    out[3 * at + 2] = to_byte(canvas[3 * at + 2] + v.z);
}
