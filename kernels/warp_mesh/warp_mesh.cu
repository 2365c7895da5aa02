// `warp_mesh` in CUDA C++; see the package for the contract.
//
// Three passes. `clear` and `raster` fill a picture of keys, 64 bits each: depth in the upper half, made to compare as a whole
// number, the triangle's index in the lower, so that an atomic minimum leaves the smallest depth and among equals the first
// triangle. `resolve` turns keys into positions. In float64 as the reference: a seam between two triangles is covered by either.
//
// `raster` gives a triangle to a row of thread blocks, which share the pixels of its bounding box.

#include "pixels.cuh"

constexpr double EDGE = -1e-6, SMALLEST_AREA_PX2 = 1e-6;
constexpr unsigned long long EMPTY = ~0ull;

struct Triangle {
    double ax, ay, bx, by, cx, cy, area;

    __device__ Triangle(const float* target, const int* corners)
    {
        const float *a = target + 3 * corners[0], *b = target + 3 * corners[1], *c = target + 3 * corners[2];
        ax = a[0], ay = a[1], bx = b[0], by = b[1], cx = c[0], cy = c[1];
        area = (bx - ax) * (cy - ay) - (cx - ax) * (by - ay);
    }

    __device__ bool shows() const { return area >= SMALLEST_AREA_PX2; }

    __device__ void weights(double x, double y, double* u, double* v, double* w) const
    {
        *v = ((x - ax) * (cy - ay) - (cx - ax) * (y - ay)) / area;
        *w = ((bx - ax) * (y - ay) - (x - ax) * (by - ay)) / area;
        *u = 1.0 - *v - *w;
    }
};

__device__ static unsigned ordered(float depth)
{
    const unsigned bits = __float_as_uint(depth);
    return bits ^ (bits >> 31 ? 0xffffffffu : 0x80000000u);
}

__device__ static float depth_of(unsigned key) { return __uint_as_float(key ^ (key >> 31 ? 0x80000000u : 0xffffffffu)); }

__device__ static int bounded(double value, int most) { return static_cast<int>(fmin(fmax(value, 0.0), static_cast<double>(most))); }

extern "C" __global__ void clear(unsigned long long* keys, int count)
{
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count)
        keys[i] = EMPTY;
}

extern "C" __global__ void raster(const float* target, const int* triangles, unsigned long long* keys, int height, int width)
{
    const int index = blockIdx.y;
    const int* corners = triangles + 3 * index;
    const Triangle t(target, corners);
    if (!t.shows())
        return;
    const int x0 = bounded(ceil(fmin(t.ax, fmin(t.bx, t.cx))) - 1, width), y0 = bounded(ceil(fmin(t.ay, fmin(t.by, t.cy))) - 1, height);
    const int x1 = bounded(floor(fmax(t.ax, fmax(t.bx, t.cx))) + 2, width);
    const int y1 = bounded(floor(fmax(t.ay, fmax(t.by, t.cy))) + 2, height);
    const int columns = x1 - x0, pixels = columns * (y1 - y0);
    const double az = target[3 * corners[0] + 2], bz = target[3 * corners[1] + 2], cz = target[3 * corners[2] + 2];
    for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < pixels; i += gridDim.x * blockDim.x) {
        const int x = x0 + i % columns, y = y0 + i / columns;
        double u, v, w;
        t.weights(x, y, &u, &v, &w);
        if (!(u >= EDGE && v >= EDGE && w >= EDGE))
            continue;
        const unsigned depth = ordered(static_cast<float>(u * az + v * bz + w * cz));
        atomicMin(keys + y * width + x, static_cast<unsigned long long>(depth) << 32 | static_cast<unsigned>(index));
    }
}

extern "C" __global__ void resolve(const float* target, const float* source, const int* triangles, const unsigned long long* keys,
                                   float2* backward, float* depth, int height, int width)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    const int at = y * width + x;
    const unsigned long long key = keys[at];
    if (key == EMPTY) {
        backward[at] = make_float2(static_cast<float>(x), static_cast<float>(y));
        depth[at] = __uint_as_float(0x7f800000u);
        return;
    }
    const int* corners = triangles + 3 * static_cast<int>(key & 0xffffffffu);
    const Triangle t(target, corners);
    const float *a = source + 2 * corners[0], *b = source + 2 * corners[1], *c = source + 2 * corners[2];
    double u, v, w;
    t.weights(x, y, &u, &v, &w);
    backward[at] = make_float2(static_cast<float>(u * a[0] + v * b[0] + w * c[0]), static_cast<float>(u * a[1] + v * b[1] + w * c[1]));
    depth[at] = depth_of(static_cast<unsigned>(key >> 32));
}
