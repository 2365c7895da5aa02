// `embed_mark` in CUDA C++; see the package for the contract. Equal to the reference to the bit.
//
// A thread block is a strip of eight rows, one row of the picture's blocks: its first threads find the gain of each block, then
// each thread changes 16 pixels of a row, 48 bytes in three 16-byte accesses where rows allow it. Reads the picture and the
// pattern once and writes the picture once; the corners that tell how busy a block is come from lines that are read anyway.
//
// Launch with (THREADS_X, BLOCK) threads on (ceil(width / (16 * THREADS_X)), ceil(height / BLOCK)) thread blocks.

#include "pixels.cuh"

constexpr int BLOCK = 8, STEP = 3, PLAIN = 16, SLOPE = 3, MOST = 48;
constexpr int THREADS_X = 16, PIXELS = 16, BLOCKS_X = THREADS_X * PIXELS / BLOCK;

__device__ static int green(const byte* picture, int height, int width, int y, int x)
{
    y = min(y, height - 1);
    x = min(x, width - 1);
    return picture[(y * width + x) * 3 + 1];
}

__device__ static int busy(const byte* picture, int height, int width, int y, int x)
{
    const int a = green(picture, height, width, y, x), b = green(picture, height, width, y, x + STEP);
    const int c = green(picture, height, width, y + STEP, x), d = green(picture, height, width, y + STEP, x + STEP);
    return abs(a - b) + abs(c - d) + abs(a - c) + abs(b - d);
}

__device__ static int gain_of(const byte* picture, int height, int width, int y, int x)
{
    const int half = BLOCK / 2;
    const int left = min(busy(picture, height, width, y, x), busy(picture, height, width, y + half, x));
    const int right = min(busy(picture, height, width, y, x + half), busy(picture, height, width, y + half, x + half));
    return min(PLAIN + min(left, right) * SLOPE / 8, MOST);
}

__device__ static byte marked(byte value, int pattern, int gain)
{
    return static_cast<byte>(max(0, min(255, value + ((pattern * gain + 512) >> 10))));
}

extern "C" __global__ void embed_mark(byte* picture, const signed char* pattern, int height, int width)
{
    __shared__ int gains[BLOCKS_X];
    const int x0 = blockIdx.x * THREADS_X * PIXELS, y0 = blockIdx.y * BLOCK;
    const int thread = threadIdx.y * THREADS_X + threadIdx.x;
    if (thread < BLOCKS_X && x0 + thread * BLOCK < width)
        gains[thread] = gain_of(picture, height, width, y0, x0 + thread * BLOCK);
    __syncthreads();

    const int y = y0 + threadIdx.y, x = x0 + threadIdx.x * PIXELS;
    if (y >= height || x >= width)
        return;
    byte* const row = picture + (y * width + x) * 3;
    const signed char* const chips = pattern + y * width + x;
    const int first = threadIdx.x * PIXELS / BLOCK;
    if (width % PIXELS == 0) {  // then every row begins at a multiple of 16 bytes, as buffers do
        Pixels16 p;
        Bytes16 c;
        for (int i = 0; i < 3; ++i)
            p.wide[i] = reinterpret_cast<const uint4*>(row)[i];
        c.wide = *reinterpret_cast<const uint4*>(chips);
        for (int i = 0; i < 3 * PIXELS; ++i)
            p.bytes[i] = marked(p.bytes[i], c.values[i / 3], gains[first + i / 3 / BLOCK]);
        for (int i = 0; i < 3; ++i)
            reinterpret_cast<uint4*>(row)[i] = p.wide[i];
    } else {
        for (int i = 0; i < 3 * min(PIXELS, width - x); ++i)
            row[i] = marked(row[i], chips[i / 3], gains[first + i / 3 / BLOCK]);
    }
}
