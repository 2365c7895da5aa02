// `crop_normalise` in CUDA C++; see the package for the contract.
//
// A thread makes one pixel of one crop, all its channels: crop, shrinking, stretch, normalisation and layout in one pass, each
// crop written once. A thread block is a square of a crop, so that what it reads of the picture is a square as well.

#include "half.cuh"
#include "pixels.cuh"

constexpr int CHANNELS = 10;
constexpr float LARGEST_STEP = 1.4f, STRETCH_OCTAVES = 2.0f, SMALLEST_AREA = 1e-3f;

struct Reading {
    int at, right, below;  // pixel, and steps to its neighbours; 0 where the edge goes on
    float fx, fy;

    __device__ Reading(const float* m, float x, float y, int height, int width)
    {
        const float px = fminf(fmaxf(m[0] * x + m[1] * y + m[2], 0.0f), static_cast<float>(width - 1));
        const float py = fminf(fmaxf(m[3] * x + m[4] * y + m[5], 0.0f), static_cast<float>(height - 1));
        const int x0 = static_cast<int>(px), y0 = static_cast<int>(py);
        at = y0 * width + x0;
        right = x0 + 1 < width ? 1 : 0;
        below = y0 + 1 < height ? width : 0;
        fx = px - x0;
        fy = py - y0;
    }

    __device__ float mixed(float a, float b, float c, float d) const
    {
        return (a * (1 - fx) + b * fx) * (1 - fy) + (c * (1 - fx) + d * fx) * fy;
    }
};

__device__ static float2 mapped(const float2* backward, const float* matrix, float x, float y, int height, int width)
{
    const Reading r(matrix, x, y, height, width);
    const float2 a = backward[r.at], b = backward[r.at + r.right];
    const float2 c = backward[r.at + r.below], d = backward[r.at + r.below + r.right];
    return make_float2(r.mixed(a.x, b.x, c.x, d.x), r.mixed(a.y, b.y, c.y, d.y));
}

__device__ static byte stretch(const float2* backward, const float* matrix, int x, int y, int size, float unit, int height, int width)
{
    const float u = static_cast<float>(min(x, size - 2)), v = static_cast<float>(min(y, size - 2));
    const float2 here = mapped(backward, matrix, u, v, height, width);
    const float2 right = mapped(backward, matrix, u + 1, v, height, width), below = mapped(backward, matrix, u, v + 1, height, width);
    const float determinant = (right.x - here.x) * (below.y - here.y) - (right.y - here.y) * (below.x - here.x);
    const float octaves = log2f(fmaxf(fabsf(determinant) / (unit * unit), SMALLEST_AREA));
    return static_cast<byte>(128 + fminf(fmaxf(octaves, -STRETCH_OCTAVES), STRETCH_OCTAVES) * (127 / STRETCH_OCTAVES));
}

__device__ static void colours(const byte* picture, int row_bytes, const float* matrix, int x, int y, int height, int width, byte* out)
{
    const float step = sqrtf(matrix[0] * matrix[0] + matrix[3] * matrix[3]);
    const int taps = max(1, static_cast<int>(ceilf(step / LARGEST_STEP)));
    float sum[3] = {0, 0, 0};
    for (int v = 0; v < taps; ++v)
        for (int u = 0; u < taps; ++u) {
            const Reading r(matrix, x + (u + 0.5f) / taps - 0.5f, y + (v + 0.5f) / taps - 0.5f, height, width);
            const byte* at = picture + r.at / width * row_bytes + r.at % width * 3;
            const int below = r.below ? row_bytes : 0, right = 3 * r.right;
            for (int c = 0; c < 3; ++c)
                sum[c] += r.mixed(at[c], at[right + c], at[below + c], at[below + right + c]);
        }
    for (int c = 0; c < 3; ++c)
        out[c] = to_byte(sum[c] / (taps * taps));
}

extern "C" __global__ void crop_normalise(const byte* picture, int row_bytes, const float2* backward, int height, int width,
                                          const float* matrices, const byte* drawings, const byte* references, const float* units,
                                          int size, byte* bytes, unsigned short* planes)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y, crop = blockIdx.z;
    if (x >= size || y >= size)
        return;
    const int pixel = y * size + x, area = size * size, beside = (crop * area + pixel) * 3;
    const float* matrix = matrices + 6 * crop;
    byte seen[CHANNELS];
    colours(picture, row_bytes, matrix, x, y, height, width, seen);
    for (int c = 0; c < 3; ++c) {
        seen[3 + c] = drawings[beside + c];
        seen[6 + c] = references[beside + c];
    }
    seen[9] = stretch(backward, matrix, x, y, size, units[crop], height, width);
    for (int c = 0; c < CHANNELS; ++c)
        if (planes)
            planes[(crop * CHANNELS + c) * area + pixel] = half_bits(seen[c] / 127.5f - 1);
        else
            bytes[(crop * area + pixel) * CHANNELS + c] = seen[c];
}
