// `sample` in CUDA C++; see the package for the contract. Equal to the reference to the bit.
//
// A thread makes four pixels of a row: it reads 32 bytes of the map and writes 12 of the picture in whole words. Neighbours read
// the same source pixels, which the caches hold.

#include "pixels.cuh"

__device__ static int mix(const byte* at, int across, int down, int fx, int fy)
{
    const int above = at[0] * (256 - fx) + at[across] * fx;
    const int below = at[down] * (256 - fx) + at[down + across] * fx;
    return (above * (256 - fy) + below * fy + 32768) >> 16;
}

__device__ static void read(const byte* source, int height, int width, int channels, float2 position, byte* out)
{
    const float x = fminf(fmaxf(position.x, 0.0f), static_cast<float>(width - 1));
    const float y = fminf(fmaxf(position.y, 0.0f), static_cast<float>(height - 1));
    const int fixed_x = static_cast<int>(x * 256.0f + 0.5f), fixed_y = static_cast<int>(y * 256.0f + 0.5f);
    const int fx = fixed_x & 255, fy = fixed_y & 255;
    const byte* at = source + ((fixed_y >> 8) * width + (fixed_x >> 8)) * channels;
    const int across = fx ? channels : 0, down = fy ? width * channels : 0;
    for (int c = 0; c < channels; ++c)
        out[c] = static_cast<byte>(mix(at + c, across, down, fx, fy));
}

extern "C" __global__ void sample3(const byte* source, int height, int width, const float2* backward, byte* out, int rows,
                                   int columns, int row_bytes)
{
    const int x = (blockIdx.x * blockDim.x + threadIdx.x) * 4, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= columns || y >= rows)
        return;
    const int count = min(4, columns - x);
    Pixels4 pixels = {};
    for (int i = 0; i < 4; ++i)
        if (i < count)
            read(source, height, width, 3, backward[y * columns + x + i], pixels.bytes + 3 * i);
    store4(out + y * row_bytes + 3 * x, pixels, count);
}

extern "C" __global__ void sample_any(const byte* source, int height, int width, int channels, const float2* backward, byte* out,
                                      int rows, int columns)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x < columns && y < rows)
        read(source, height, width, channels, backward[y * columns + x], out + (y * columns + x) * channels);
}
