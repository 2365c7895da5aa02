// `blend_poisson` in CUDA C++; see the package for the contract, and the CPU's form for the method: conjugate gradients with a
// multigrid V-cycle before each step, begun from a nested guess.
//
// The host cannot look at a residual without stopping the stream, so the number of rounds is fixed and `State.done` makes the rest
// of them return at once: everything fits into one graph. Levels that are small are one thread block's work from there to the
// coarsest and back (`tail_...`), since launches would take longer than what they do. Sums are added in a fixed order: a picture
// comes out the same each time.

#include "pixels.cuh"

constexpr float ENOUGH = 0.5f;
constexpr int COARSEST_SWEEPS = 24, NESTED_SWEEPS = 2, SUM_THREADS = 256;

struct Level {
    byte* inside;
    float4 *u, *f, *r;
    int height, width;
};

struct State {
    float energy[4], alpha[4], beta[4];
    int done, padding[3];
};

__device__ static float4 operator+(float4 a, float4 b) { return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w); }
__device__ static float4 operator-(float4 a, float4 b) { return make_float4(a.x - b.x, a.y - b.y, a.z - b.z, a.w - b.w); }
__device__ static float4 operator*(float s, float4 a) { return make_float4(s * a.x, s * a.y, s * a.z, s * a.w); }
__device__ static float4 operator*(float4 a, float4 b) { return make_float4(a.x * b.x, a.y * b.y, a.z * b.z, a.w * b.w); }
__device__ static float4 zero() { return make_float4(0, 0, 0, 0); }
__device__ static float4 four(const float* v) { return make_float4(v[0], v[1], v[2], v[3]); }

__device__ static float4 around(const float4* u, int at, int width) { return u[at - width] + u[at + width] + u[at - 1] + u[at + 1]; }

// What inside cells have in common: they are never on the rim, so all their neighbours exist.

__device__ static void sweep_cell(const Level& l, int y, int x)
{
    const int at = y * l.width + x;
    if (l.inside[at])
        l.u[at] = 0.25f * (around(l.u, at, l.width) + l.f[at]);
}

__device__ static void residual_cell(const Level& l, int at)
{
    l.r[at] = l.inside[at] ? l.f[at] + around(l.u, at, l.width) - 4.0f * l.u[at] : zero();
}

// Residuals, weighted (1 2 1) both ways, to a coarse right side, whose guess begins at 0.
__device__ static void restrict_cell(const Level& fine, const Level& coarse, int y, int x)
{
    const int at = y * coarse.width + x, middle = 2 * y * fine.width + 2 * x, w = fine.width;
    coarse.u[at] = zero();
    if (!coarse.inside[at]) {
        coarse.f[at] = zero();
        return;
    }
    const float4* r = fine.r + middle;
    const float4 corners = r[-w - 1] + r[-w + 1] + r[w - 1] + r[w + 1], sides = r[-w] + r[w] + r[-1] + r[1];
    coarse.f[at] = r[0] + 0.5f * sides + 0.25f * corners;
}

__device__ static void correct_cell(const Level& fine, const Level& coarse, int y, int x)
{
    const int at = y * fine.width + x;
    if (!fine.inside[at])
        return;
    const int y0 = y >> 1, x0 = x >> 1, y1 = min(y0 + (y & 1), coarse.height - 1), x1 = min(x0 + (x & 1), coarse.width - 1);
    const float4* c = coarse.u;
    const int w = coarse.width;
    fine.u[at] = fine.u[at] + 0.25f * (c[y0 * w + x0] + c[y0 * w + x1] + c[y1 * w + x0] + c[y1 * w + x1]);
}

// Coarse known values: the mean of the known ones around, or of none 0.
__device__ static void known_cell(const Level& fine, const Level& coarse, int y, int x)
{
    const int at = y * coarse.width + x;
    float4 sum = zero();
    int count = 0;
    if (!coarse.inside[at])
        for (int v = max(2 * y - 1, 0); v < min(2 * y + 2, fine.height); ++v)
            for (int w = max(2 * x - 1, 0); w < min(2 * x + 2, fine.width); ++w)
                if (!fine.inside[v * fine.width + w]) {
                    sum = sum + fine.u[v * fine.width + w];
                    ++count;
                }
    coarse.u[at] = count ? (1.0f / count) * sum : zero();
    coarse.f[at] = zero();
}

// Known values outside, 0 inside.
extern "C" __global__ void begin(const byte* canvas, const byte* layer, const byte* mask, Level* levels, float4* u, State* state)
{
    const Level l = levels[0];
    int x, y;
    if (!place(l.height, l.width, &x, &y))
        return;
    const int at = y * l.width + x;
    const bool inner = mask[at] && y > 0 && y < l.height - 1 && x > 0 && x < l.width - 1;
    const byte *below = canvas + 3 * at, *above = layer + 3 * at;
    l.inside[at] = inner;
    l.f[at] = zero();
    u[at] = inner ? zero()
                  : make_float4(static_cast<float>(below[0] - above[0]), static_cast<float>(below[1] - above[1]),
                                static_cast<float>(below[2] - above[2]), 0.0f);
    if (at == 0) {
        for (int k = 0; k < 4; ++k)
            state->energy[k] = 0;
        state->done = 0;
    }
}

extern "C" __global__ void coarsen(Level* levels, int index)
{
    const Level fine = levels[index], coarse = levels[index + 1];
    int x, y;
    if (!place(coarse.height, coarse.width, &x, &y))
        return;
    const bool inner = y > 0 && y < coarse.height - 1 && x > 0 && x < coarse.width - 1;
    coarse.inside[y * coarse.width + x] = inner && fine.inside[2 * y * fine.width + 2 * x];
}

// A level whose unknowns are elsewhere: the finest one, while its own `u` is a correction.
__device__ static Level with(Level level, float4* u)
{
    if (u)
        level.u = u;
    return level;
}

extern "C" __global__ void known(Level* levels, int index, float4* u)
{
    const Level fine = with(levels[index], u), coarse = levels[index + 1];
    int x, y;
    if (place(coarse.height, coarse.width, &x, &y))
        known_cell(fine, coarse, y, x);
}

// Half a Gauss-Seidel sweep: the cells of one colour of the board.
extern "C" __global__ void sweep(Level* levels, int index, float4* u, int colour, const State* state)
{
    const Level l = with(levels[index], u);
    int half, y;
    if (state->done || !place(l.height, (l.width + 1) / 2, &half, &y))
        return;
    const int x = 2 * half + (y + colour) % 2;
    if (x < l.width)
        sweep_cell(l, y, x);
}

extern "C" __global__ void residual(Level* levels, int index, const State* state)
{
    const Level l = levels[index];
    int x, y;
    if (!state->done && place(l.height, l.width, &x, &y))
        residual_cell(l, y * l.width + x);
}

extern "C" __global__ void restrict_down(Level* levels, int index, const State* state)
{
    const Level coarse = levels[index + 1];
    int x, y;
    if (!state->done && place(coarse.height, coarse.width, &x, &y))
        restrict_cell(levels[index], coarse, y, x);
}

extern "C" __global__ void correct(Level* levels, int index, float4* u, const State* state)
{
    const Level fine = with(levels[index], u);
    int x, y;
    if (!state->done && place(fine.height, fine.width, &x, &y))
        correct_cell(fine, levels[index + 1], y, x);
}

template <class Cell>
__device__ static void each(const Level& l, Cell cell)
{
    for (int i = threadIdx.x; i < l.height * l.width; i += blockDim.x)
        cell(i / l.width, i % l.width);
    __syncthreads();
}

__device__ static void sweep_all(const Level& l, int colour)
{
    each(l, [&](int y, int x) {
        if ((x + y + colour) % 2 == 0)
            sweep_cell(l, y, x);
    });
}

// The rest of a V-cycle, from level `first` to `last` and back.
extern "C" __global__ void tail_cycle(Level* levels, int first, int last, const State* state)
{
    if (state->done)
        return;
    for (int i = first; i < last; ++i) {
        const Level l = levels[i], coarse = levels[i + 1];
        sweep_all(l, 0);
        sweep_all(l, 1);
        each(l, [&](int y, int x) { residual_cell(l, y * l.width + x); });
        each(coarse, [&](int y, int x) { restrict_cell(l, coarse, y, x); });
    }
    for (int i = 0; i < COARSEST_SWEEPS; ++i)
        sweep_all(levels[last], (i + i / 2) % 2);
    for (int i = last - 1; i >= first; --i) {
        const Level l = levels[i], coarse = levels[i + 1];
        each(l, [&](int y, int x) { correct_cell(l, coarse, y, x); });
        sweep_all(l, 1);
        sweep_all(l, 0);
    }
}

// The rest of the nested guess.
extern "C" __global__ void tail_guess(Level* levels, int first, int last)
{
    for (int i = first; i < last; ++i) {
        const Level l = levels[i], coarse = levels[i + 1];
        each(coarse, [&](int y, int x) { known_cell(l, coarse, y, x); });
    }
    for (int i = 0; i < 2 * COARSEST_SWEEPS; ++i)
        sweep_all(levels[last], i % 2);
    for (int i = last - 1; i >= first; --i) {
        const Level l = levels[i], coarse = levels[i + 1];
        each(l, [&](int y, int x) { correct_cell(l, coarse, y, x); });
        for (int sweeps = 0; sweeps < 2 * NESTED_SWEEPS; ++sweeps)
            sweep_all(l, sweeps % 2);
    }
}

// What `u` lacks becomes the right side; no direction has been taken yet.
extern "C" __global__ void set_out(Level* levels, const float4* u, float4* p)
{
    const Level l = levels[0];
    int x, y;
    if (!place(l.height, l.width, &x, &y))
        return;
    const int at = y * l.width + x;
    p[at] = zero();
    l.f[at] = l.inside[at] ? around(u, at, l.width) - 4.0f * u[at] : zero();
}

extern "C" __global__ void nothing_yet(Level* levels, const State* state)
{
    const Level l = levels[0];
    int x, y;
    if (!state->done && place(l.height, l.width, &x, &y))
        l.u[y * l.width + x] = zero();
}

// A share of a thread block of the inner products of the channels, to `sums[block]`.
extern "C" __global__ void products(const float4* a, const float4* b, int count, float4* sums, const State* state)
{
    if (state->done)
        return;
    __shared__ float4 shared[SUM_THREADS];
    float4 sum = zero();
    for (int i = blockIdx.x * SUM_THREADS + threadIdx.x; i < count; i += gridDim.x * SUM_THREADS)
        sum = sum + a[i] * b[i];
    shared[threadIdx.x] = sum;
    for (int half = SUM_THREADS / 2; half > 0; half /= 2) {
        __syncthreads();
        if (threadIdx.x < half)
            shared[threadIdx.x] = shared[threadIdx.x] + shared[threadIdx.x + half];
    }
    if (threadIdx.x == 0)
        sums[blockIdx.x] = shared[0];
}

__device__ static float4 total(const float4* sums, int count)
{
    float4 sum = zero();
    for (int i = 0; i < count; ++i)
        sum = sum + sums[i];
    return sum;
}

// One thread: how far the new direction leans on the old one, or that it is enough.
extern "C" __global__ void lean(const float4* sums, int count, State* state)
{
    if (state->done)
        return;
    const float4 sum = total(sums, count);
    const float energy[4] = {sum.x, sum.y, sum.z, sum.w};
    bool enough = true;
    for (int k = 0; k < 4; ++k) {
        const float before = state->energy[k];
        state->beta[k] = before > 0 ? energy[k] / fmaxf(before, 1e-30f) : 0.0f;
        state->energy[k] = energy[k];
        enough = enough && energy[k] <= ENOUGH;
    }
    state->done = enough;
}

// One thread: how far to go.
extern "C" __global__ void stride(const float4* sums, int count, State* state)
{
    if (state->done)
        return;
    const float4 sum = total(sums, count);
    const float pushed[4] = {sum.x, sum.y, sum.z, sum.w};
    for (int k = 0; k < 4; ++k)
        state->alpha[k] = state->energy[k] / fmaxf(pushed[k], 1e-30f);
}

extern "C" __global__ void turn(float4* p, const float4* z, int count, const State* state)
{
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (!state->done && at < count)
        p[at] = z[at] + four(state->beta) * p[at];
}

// The Laplacian of directions, which are 0 outside.
extern "C" __global__ void push(Level* levels, const float4* p, float4* pushed, const State* state)
{
    const Level l = levels[0];
    int x, y;
    if (state->done || !place(l.height, l.width, &x, &y))
        return;
    const int at = y * l.width + x;
    pushed[at] = l.inside[at] ? 4.0f * p[at] - around(p, at, l.width) : zero();
}

extern "C" __global__ void step(float4* u, float4* r, const float4* p, const float4* pushed, int count, const State* state)
{
    const int at = blockIdx.x * blockDim.x + threadIdx.x;
    if (state->done || at >= count)
        return;
    u[at] = u[at] + four(state->alpha) * p[at];
    r[at] = r[at] - four(state->alpha) * pushed[at];
}

extern "C" __global__ void finish(const byte* canvas, const byte* layer, Level* levels, const float4* u, byte* out)
{
    const Level l = levels[0];
    int x, y;
    if (!place(l.height, l.width, &x, &y))
        return;
    const int at = y * l.width + x;
    const float more[3] = {u[at].x, u[at].y, u[at].z};
    for (int k = 0; k < 3; ++k)
        out[3 * at + k] = l.inside[at] ? to_byte(layer[3 * at + k] + more[k]) : canvas[3 * at + k];
}
