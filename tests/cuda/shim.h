// Runs CUDA C++ on the CPU: a thread for each thread of a block, block after block, a barrier for __syncthreads. For tests: the
// compiler's sanitizers see every access, and shared memory that is read before the barrier is a race that they can see too.
#pragma once

#include <algorithm>
#include <barrier>
#include <cstdlib>
#include <memory>
#include <thread>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __forceinline__ inline
#define __restrict__

using std::abs, std::max, std::min;

struct uint4 {
    unsigned x, y, z, w;
};
static_assert(sizeof(uint4) == 16);

struct dim3 {
    int x = 1, y = 1, z = 1;
};

inline thread_local dim3 threadIdx, blockIdx;
inline dim3 blockDim, gridDim;
inline std::unique_ptr<std::barrier<>> block_barrier;

inline void __syncthreads() { block_barrier->arrive_and_wait(); }

template <class... Arguments>
void launch(void (*kernel)(Arguments...), dim3 grid, dim3 block, Arguments... arguments)
{
    gridDim = grid;
    blockDim = block;
    const int count = block.x * block.y * block.z, blocks = grid.x * grid.y * grid.z;
    for (int b = 0; b < blocks; ++b) {
        block_barrier = std::make_unique<std::barrier<>>(count);
        std::vector<std::thread> threads;
        for (int t = 0; t < count; ++t)
            threads.emplace_back([=] {
                blockIdx = {b % grid.x, b / grid.x % grid.y, b / grid.x / grid.y};
                threadIdx = {t % block.x, t / block.x % block.y, t / block.x / block.y};
                kernel(arguments...);
                block_barrier->arrive_and_drop();
            });
        for (std::thread& thread : threads)
            thread.join();
    }
}
