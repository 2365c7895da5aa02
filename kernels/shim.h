// Runs CUDA C++ on the CPU. Blocks run one after another. The threads of a block run one after another too where a source has no
// barrier; as fibers where it has one; and as threads of the system with SHIM_THREADS, so that a sanitizer sees what races.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __constant__ static const
#define __forceinline__ inline
#define __restrict__
#define __launch_bounds__(...)

using std::abs, std::max, std::min;

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }

struct dim3 {
    int x = 1, y = 1, z = 1;
};

inline unsigned __float_as_uint(float value)
{
    unsigned bits;
    std::memcpy(&bits, &value, sizeof bits);
    return bits;
}

inline float __uint_as_float(unsigned bits)
{
    float value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
}

inline unsigned short half_bits(float value)
{
    const _Float16 half = static_cast<_Float16>(value);
    unsigned short bits;
    std::memcpy(&bits, &half, sizeof bits);
    return bits;
}

inline float half_value(unsigned short bits)
{
    _Float16 half;
    std::memcpy(&half, &bits, sizeof half);
    return static_cast<float>(half);
}

inline dim3 blockDim, gridDim;

template <class T, class Better>
T atomic_change(T* at, T value, Better better)
{
    std::atomic_ref<T> shared(*at);
    T before = shared.load(std::memory_order_relaxed);
    while (!shared.compare_exchange_weak(before, better(before, value), std::memory_order_relaxed)) {
    }
    return before;
}
inline unsigned long long atomicMin(unsigned long long* at, unsigned long long value)
{
    return atomic_change(at, value, [](auto a, auto b) { return min(a, b); });
}
inline float atomicAdd(float* at, float value)
{
    return atomic_change(at, value, [](auto a, auto b) { return a + b; });
}

inline int thread_count() { return blockDim.x * blockDim.y * blockDim.z; }
inline dim3 coordinates(int index, dim3 sides) { return {index % sides.x, index / sides.x % sides.y, index / sides.x / sides.y}; }

#ifdef SHIM_THREADS

inline thread_local dim3 threadIdx, blockIdx;

// Waits asleep, and for those alone that have not returned: std::barrier spins, and there are more threads than cores.
class Barrier {
public:
    explicit Barrier(int count) : count_(count) {}

    void wait()
    {
        std::unique_lock lock(mutex_);
        const int round = round_;
        if (++waiting_ == count_)
            open();
        else
            opened_.wait(lock, [&] { return round_ != round; });
    }

    void leave()
    {
        std::lock_guard lock(mutex_);
        if (--count_ == waiting_ && count_)
            open();
    }

private:
    void open()
    {
        waiting_ = 0;
        ++round_;
        opened_.notify_all();
    }

    std::mutex mutex_;
    std::condition_variable opened_;
    int count_, waiting_ = 0, round_ = 0;
};

inline std::unique_ptr<Barrier> block_barrier;
inline void __syncthreads() { block_barrier->wait(); }

template <class Body>
void run_block(dim3 block, Body body)
{
    block_barrier = std::make_unique<Barrier>(thread_count());
    std::vector<std::thread> threads;
    for (int t = 0; t < thread_count(); ++t)
        threads.emplace_back([=] {
            blockIdx = block;
            threadIdx = coordinates(t, blockDim);
            body();
            block_barrier->leave();
        });
    for (std::thread& thread : threads)
        thread.join();
}

#else

inline dim3 threadIdx, blockIdx;

#ifdef SHIM_BARRIERS

constexpr int STACK_BYTES = 64 * 1024;

// A fiber is entered once through a context and left and taken up again by jumps, which need no system call; AddressSanitizer
// follows contexts alone.
struct Fiber {
    std::unique_ptr<char[]> stack = std::make_unique<char[]>(STACK_BYTES);
    ucontext_t context;
    jmp_buf at;
    bool begun = false, done = false;
};

inline std::vector<Fiber> fibers;
inline ucontext_t scheduler_context;
inline jmp_buf scheduler;
inline int running;
inline void (*fiber_call)(const void*);
inline const void* fiber_body;

inline void __syncthreads()
{
#ifdef __SANITIZE_ADDRESS__
    swapcontext(&fibers[running].context, &scheduler_context);
#else
    if (!_setjmp(fibers[running].at))
        _longjmp(scheduler, 1);
#endif
}

inline void fiber_main()
{
    for (;;) {
        fiber_call(fiber_body);
        fibers[running].done = true;
        __syncthreads();
    }
}

inline void resume(Fiber& fiber)
{
    if (!fiber.begun) {
        getcontext(&fiber.context);
        fiber.context.uc_stack.ss_sp = fiber.stack.get();
        fiber.context.uc_stack.ss_size = STACK_BYTES;
        fiber.context.uc_link = nullptr;
        makecontext(&fiber.context, fiber_main, 0);
    }
#ifdef __SANITIZE_ADDRESS__
    fiber.begun = true;
    swapcontext(&scheduler_context, &fiber.context);
#else
    if (_setjmp(scheduler))
        return;
    if (std::exchange(fiber.begun, true))
        _longjmp(fiber.at, 1);
    setcontext(&fiber.context);
#endif
}

template <class Body>
void run_block(dim3 block, Body body)
{
    blockIdx = block;
    fiber_call = [](const void* b) { (*static_cast<const Body*>(b))(); };
    fiber_body = &body;
    const int count = thread_count();
    while (static_cast<int>(fibers.size()) < count)
        fibers.emplace_back();
    for (int t = 0; t < count; ++t)
        fibers[t].done = false;
    for (bool any = true; any;) {
        any = false;
        for (running = 0; running < count; ++running)
            if (!fibers[running].done) {
                any = true;
                threadIdx = coordinates(running, blockDim);
                resume(fibers[running]);
            }
    }
}

#else

template <class Body>
void run_block(dim3 block, Body body)
{
    blockIdx = block;
    for (int t = 0; t < thread_count(); ++t) {
        threadIdx = coordinates(t, blockDim);
        body();
    }
}

#endif
#endif

// Arguments as the driver takes them: an array of pointers to their values.
template <class... Arguments, std::size_t... Index>
void call(void (*kernel)(Arguments...), void** arguments, std::index_sequence<Index...>)
{
    kernel(*static_cast<Arguments*>(arguments[Index])...);
}

template <class... Arguments>
void launch(void (*kernel)(Arguments...), const int* grid, const int* block, void** arguments)
{
    gridDim = {grid[0], grid[1], grid[2]};
    blockDim = {block[0], block[1], block[2]};
    for (int b = 0; b < gridDim.x * gridDim.y * gridDim.z; ++b)
        run_block(coordinates(b, gridDim), [=] { call(kernel, arguments, std::index_sequence_for<Arguments...>{}); });
}
