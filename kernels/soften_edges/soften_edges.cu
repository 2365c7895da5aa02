// `soften_edges` in CUDA C++; see the package for the contract. Equal to the reference to the bit.
//
// A thread looks at four pixels of a row. The map is read five times over, but from memory once: what neighbours read lies in the
// caches. The few pixels at a jump cost nine pixels of the picture more.

#include "pixels.cuh"

__device__ static bool far(float2 a, float2 b, float limit) { return fabsf(a.x - b.x) > limit || fabsf(a.y - b.y) > limit; }

extern "C" __global__ void soften_edges(const byte* picture, const float2* backward, float limit, byte* out, int height, int width,
                                        int row_bytes)
{
    const int x0 = (blockIdx.x * blockDim.x + threadIdx.x) * 4, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x0 >= width || y >= height)
        return;
    const int count = min(4, width - x0), line = 3 * width;
    Pixels4 pixels = load4(picture + y * line + 3 * x0, count);
    for (int i = 0; i < 4; ++i) {
        const int x = x0 + i;
        if (i >= count || x == 0 || y == 0 || x == width - 1 || y == height - 1)
            continue;
        const float2* at = backward + y * width + x;
        if (!(far(at[0], at[-1], limit) || far(at[0], at[1], limit) || far(at[0], at[-width], limit) || far(at[0], at[width], limit)))
            continue;
        for (int c = 0; c < 3; ++c) {
            int total = 0;
            for (int dy = -1; dy <= 1; ++dy)
                for (int dx = -1; dx <= 1; ++dx)
                    total += picture[(y + dy) * line + 3 * (x + dx) + c];
            pixels.bytes[3 * i + c] = static_cast<byte>((2 * total + 9) / 18);
        }
    }
    store4(out + y * row_bytes + 3 * x0, pixels, count);
}
