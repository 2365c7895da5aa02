// `match_colour` in CUDA C++; see the package for the contract.
//
// A thread changes four pixels of a row: 12 bytes read and written in whole words. The table (33 steps a side are 431 kB) stays
// in the second-level cache.

#include "pixels.cuh"

__device__ static void changed(const float* table, int size, const byte* from, byte* to)
{
    const float step = static_cast<float>((size - 1) / 255.0);
    int low[3];
    float share[3];
    for (int c = 0; c < 3; ++c) {
        const float place = from[c] * step;
        low[c] = min(static_cast<int>(place), size - 2);
        share[c] = place - low[c];
    }
    for (int k = 0; k < 3; ++k) {
        float value = 0.0f;
        for (int i = 0; i < 2; ++i)
            for (int j = 0; j < 2; ++j) {
                const float weight = (i ? share[0] : 1 - share[0]) * (j ? share[1] : 1 - share[1]);
                const float* at = table + (((low[0] + i) * size + low[1] + j) * size + low[2]) * 3 + k;
                value += weight * ((1 - share[2]) * at[0] + share[2] * at[3]);
            }
        to[k] = to_byte(value);
    }
}

extern "C" __global__ void match_colour(const byte* picture, const float* table, int size, byte* out, int height, int width)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 4, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    const int count = min(4, width - x), at = (y * width + x) * 3;
    Pixels4 pixels = load4(picture + at, count), result = {};
    for (int i = 0; i < 4; ++i)
        if (i < count)
            changed(table, size, pixels.bytes + 3 * i, result.bytes + 3 * i);
    store4(out + at, result, count);
}
