// What kernels share: pixels in wide words, and rounding.
#pragma once

typedef unsigned char byte;

// Sixteen pixels of three bytes, in three 16-byte words.
union Pixels16 {
    uint4 wide[3];
    byte bytes[48];
};

union Bytes16 {
    uint4 wide;
    byte bytes[16];
    signed char values[16];
};

// Four pixels of three bytes, in three 4-byte words.
union Pixels4 {
    unsigned wide[3];
    byte bytes[12];
};

__device__ inline bool aligned(const void* pointer, int bytes)
{
    return reinterpret_cast<unsigned long long>(pointer) % bytes == 0;
}

// The pixel that is this thread's; whether there is one.
__device__ inline bool place(int height, int width, int* x, int* y)
{
    *x = blockIdx.x * blockDim.x + threadIdx.x, *y = blockIdx.y * blockDim.y + threadIdx.y;
    return *x < width && *y < height;
}

// Rounded half up and cut to 0 to 255.
__device__ inline byte to_byte(float value)
{
    return static_cast<byte>(fminf(fmaxf(floorf(value + 0.5f), 0.0f), 255.0f));
}

// `count` <= 4 pixels to where they belong, in 4-byte words where they can be. Loops have fixed ends so that pixels stay in registers.
__device__ inline void store4(byte* to, const Pixels4& pixels, int count)
{
    if (count == 4 && aligned(to, 4)) {
        for (int i = 0; i < 3; ++i)
            reinterpret_cast<unsigned*>(to)[i] = pixels.wide[i];
    } else {
        for (int i = 0; i < 12; ++i)
            if (i < 3 * count)
                to[i] = pixels.bytes[i];
    }
}

__device__ inline Pixels4 load4(const byte* from, int count)
{
    Pixels4 pixels = {};
    if (count == 4 && aligned(from, 4)) {
        for (int i = 0; i < 3; ++i)
            pixels.wide[i] = reinterpret_cast<const unsigned*>(from)[i];
    } else {
        for (int i = 0; i < 12; ++i)
            if (i < 3 * count)
                pixels.bytes[i] = from[i];
    }
    return pixels;
}
