// `lay_back` in CUDA C++; see the package for the contract.
//
// `fade` rounds what the network drew and finds, in one thread block a crop, the rows and columns in which its matte shows.
// `lay_back` gives every pixel of the picture a thread, which lays all crops over it one after another: most pixels lie in no crop
// and read nothing. Where the crops are is not known before the launch, and so the launch is always the same.

#include "half.cuh"
#include "pixels.cuh"

constexpr float EDGE_SHARE = 0.08f;
constexpr int FAINT = 8, THREADS = 256;

struct Shown {
    int first_column, last_column, first_row, last_row;
};

__device__ static float ramp(int position, int size)
{
    return fminf(fmaxf(min(position, size - 1 - position) / (EDGE_SHARE * size), 0.0f), 1.0f);
}

extern "C" __global__ void fade(const float4* drawn, int size, byte* faded, Shown* shown)
{
    __shared__ int least_x[THREADS], most_x[THREADS], least_y[THREADS], most_y[THREADS];
    const int crop = blockIdx.x, t = threadIdx.x;
    int x0 = size, x1 = -1, y0 = size, y1 = -1;
    for (int i = t; i < size * size; i += THREADS) {
        const int at = crop * size * size + i, x = i % size, y = i / size;
        const float4 d = drawn[at];
        const int whole = to_byte(255 * d.w * (ramp(x, size) * ramp(y, size)));
        const byte matte = static_cast<byte>((510 * max(whole - FAINT, 0) + 255 - FAINT) / (2 * (255 - FAINT)));
        faded[4 * at] = to_byte(d.x);
        faded[4 * at + 1] = to_byte(d.y);
        faded[4 * at + 2] = to_byte(d.z);
        faded[4 * at + 3] = matte;
        if (matte > 0) {
            x0 = min(x0, x), x1 = max(x1, x);
            y0 = min(y0, y), y1 = max(y1, y);
        }
    }
    least_x[t] = x0, most_x[t] = x1, least_y[t] = y0, most_y[t] = y1;
    for (int half = THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (t < half) {
            least_x[t] = min(least_x[t], least_x[t + half]), most_x[t] = max(most_x[t], most_x[t + half]);
            least_y[t] = min(least_y[t], least_y[t + half]), most_y[t] = max(most_y[t], most_y[t + half]);
        }
    }
    if (t == 0)
        shown[crop] = {least_x[0], most_x[0], least_y[0], most_y[0]};
}

// A value of a crop, 0 beyond its outermost pixels.
struct Faded {
    const byte* values;
    int size;

    __device__ float operator()(int x, int y, int channel) const
    {
        return x >= 0 && y >= 0 && x < size && y < size ? values[(y * size + x) * 4 + channel] : 0;
    }
};

struct Seen {
    const byte* bytes;
    const unsigned short* planes;
    int size, channels;

    __device__ float operator()(int x, int y, int channel) const
    {
        if (x < 0 || y < 0 || x >= size || y >= size)
            return 0;
        if (bytes)
            return bytes[(y * size + x) * channels + channel];
        return to_byte((half_value(planes[(channel * size + y) * size + x]) + 1) * 127.5f);
    }
};

template <class Values>
__device__ static float read(Values values, int x, int y, float fx, float fy, int c)
{
    const float above = values(x, y, c) * (1 - fx) + values(x + 1, y, c) * fx;
    const float below = values(x, y + 1, c) * (1 - fx) + values(x + 1, y + 1, c) * fx;
    return above * (1 - fy) + below * fy;
}

extern "C" __global__ void lay_back(byte* picture, int row_bytes, int height, int width, const byte* faded, const Shown* shown,
                                    const byte* bytes, const unsigned short* planes, int channels, const float* matrices, int count,
                                    int size, float detail)
{
    const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= width || y >= height)
        return;
    byte* const pixel = picture + y * row_bytes + 3 * x;
    const int area = size * size;
    for (int i = 0; i < count; ++i) {
        const float* m = matrices + 6 * i;
        const float determinant = m[0] * m[4] - m[1] * m[3], dx = x - m[2], dy = y - m[5];
        const float u = (m[4] * dx - m[1] * dy) / determinant, v = (m[0] * dy - m[3] * dx) / determinant;
        const Shown s = shown[i];
        if (!(u >= s.first_column - 1 && u <= s.last_column + 1 && v >= s.first_row - 1 && v <= s.last_row + 1) || s.last_row < 0)
            continue;
        const float left = floorf(u), top = floorf(v), fx = u - left, fy = v - top;
        const int x0 = static_cast<int>(left), y0 = static_cast<int>(top);
        const Faded layer = {faded + 4 * area * i, size};
        const int alpha = to_byte(read(layer, x0, y0, fx, fy, 3));
        if (alpha == 0)
            continue;
        const Seen seen = {bytes ? bytes + area * channels * i : nullptr, planes + (bytes ? 0 : area * channels * i), size, channels};
        const float kept = detail * fminf(fmaxf(sqrtf(m[0] * m[0] + m[3] * m[3]) - 1, 0.0f), 1.0f);
        for (int c = 0; c < 3; ++c) {
            const int colour = to_byte(read(layer, x0, y0, fx, fy, c) + kept * (pixel[c] - read(seen, x0, y0, fx, fy, c)));
            pixel[c] = static_cast<byte>((2 * (pixel[c] * (255 - alpha) + colour * alpha) + 255) / 510);
        }
    }
}
