// `feather` in CUDA C++; see the package for the contract. Equal to the reference to the bit.
//
// Four passes of sums along an axis, twice down and twice across. A radius is a dozen pixels and a mask the size of a face: what
// a running sum would save is less than the launch it would need for itself.

#include "pixels.cuh"

template <class From>
__device__ static int total(const From* values, int at, int step, int position, int length, int radius)
{
    int sum = 0;
    for (int i = position - radius; i <= position + radius; ++i)
        sum += static_cast<int>(values[at + step * (max(0, min(i, length - 1)) - position)]);
    return sum;
}

struct Inside {
    byte value;
    __device__ explicit operator int() const { return value != 0; }
};

extern "C" __global__ void down_mask(const byte* mask, int radius, int* sums, int height, int width)
{
    int x, y;
    if (place(height, width, &x, &y))
        sums[y * width + x] = total(reinterpret_cast<const Inside*>(mask), y * width + x, width, y, height, radius);
}

extern "C" __global__ void down(const int* values, int radius, int* sums, int height, int width)
{
    int x, y;
    if (place(height, width, &x, &y))
        sums[y * width + x] = total(values, y * width + x, width, y, height, radius);
}

extern "C" __global__ void across(const int* values, int radius, int* sums, int height, int width)
{
    int x, y;
    if (place(height, width, &x, &y))
        sums[y * width + x] = total(values, y * width + x, 1, x, width, radius);
}

extern "C" __global__ void across_matte(const int* values, int radius, byte* matte, int height, int width)
{
    int x, y;
    if (!place(height, width, &x, &y))
        return;
    long long sum = 0;
    for (int i = x - radius; i <= x + radius; ++i)
        sum += values[y * width + max(0, min(i, width - 1))];
    const long long side = 2 * radius + 1, full = side * side * side * side;
    const long long above = max(0ll, 2 * sum - full) * 255;
    matte[y * width + x] = static_cast<byte>((2 * above + full) / (2 * full));
}
