// `composite` in CUDA C++; see the package for the contract. Equal to the reference to the bit.
//
// A thread mixes 16 pixels: 48 bytes of canvas, 48 of the layer and 16 of the matte in 16-byte words where rows allow it, 112 read
// and 48 written. Where the matte is 0 throughout, the canvas is neither read nor written.

#include "pixels.cuh"

__device__ static byte mixed(int below, int above, int alpha)
{
    return static_cast<byte>((2 * (below * (255 - alpha) + above * alpha) + 255) / 510);
}

// `column` and `row` are of the layer: the first of the thread's 16 pixels.
__device__ static void lay(byte* canvas, int height, int width, int row_bytes, const byte* layer, const byte* matte, int rows, int columns,
                           int left, int top, int column, int row)
{
    const int y = row + top;
    if (column >= columns || row >= rows || y < 0 || y >= height)
        return;
    const int x = column + left, first = max(0, -x), last = min(min(16, columns - column), width - x);
    const byte* const alphas = matte + row * columns + column;
    const byte* const above = layer + (row * columns + column) * 3;
    byte* const below = canvas + static_cast<long long>(y) * row_bytes + 3 * x;
    if (first == 0 && last == 16 && aligned(alphas, 16) && aligned(above, 16) && aligned(below, 16)) {
        Bytes16 a;
        a.wide = *reinterpret_cast<const uint4*>(alphas);
        if ((a.wide.x | a.wide.y | a.wide.z | a.wide.w) == 0)
            return;
        Pixels16 p, l;
        for (int i = 0; i < 3; ++i) {
            p.wide[i] = reinterpret_cast<const uint4*>(below)[i];
            l.wide[i] = reinterpret_cast<const uint4*>(above)[i];
        }
        for (int i = 0; i < 48; ++i)
            p.bytes[i] = mixed(p.bytes[i], l.bytes[i], a.bytes[i / 3]);
        for (int i = 0; i < 3; ++i)
            reinterpret_cast<uint4*>(below)[i] = p.wide[i];
    } else {
        for (int i = first; i < last; ++i)
            if (alphas[i])
                for (int c = 0; c < 3; ++c)
                    below[3 * i + c] = mixed(below[3 * i + c], above[3 * i + c], alphas[i]);
    }
}

extern "C" __global__ void composite(byte* canvas, int height, int width, int row_bytes, const byte* layer, const byte* matte, int rows,
                                     int columns, int left, int top)
{
    const int column = (blockIdx.x * blockDim.x + threadIdx.x) * 16, row = blockIdx.y * blockDim.y + threadIdx.y;
    lay(canvas, height, width, row_bytes, layer, matte, rows, columns, left, top, column, row);
}

struct Placed {
    int rows, columns, left, top, layer, matte;  // the last two are offsets from `data`
};

// The same where size and place change from frame to frame and the launch must not: they are read from memory.
extern "C" __global__ void composite_placed(byte* canvas, int height, int width, int row_bytes, const byte* data, const Placed* places,
                                            int index)
{
    const Placed p = places[index];
    const int column = (blockIdx.x * blockDim.x + threadIdx.x) * 16, row = blockIdx.y * blockDim.y + threadIdx.y;
    lay(canvas, height, width, row_bytes, data + p.layer, data + p.matte, p.rows, p.columns, p.left, p.top, column, row);
}
