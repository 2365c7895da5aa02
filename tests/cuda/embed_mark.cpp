// Called from tests/test_cuda.py; with MAIN a program of its own for the sanitizers, which ends in an error if they find one.
#include "shim.h"

#include "../../kernels/embed_mark/embed_mark.cu"

extern "C" void run(unsigned char* picture, const signed char* pattern, int height, int width)
{
    const int across = THREADS_X * PIXELS;
    launch(embed_mark, dim3{(width + across - 1) / across, (height + BLOCK - 1) / BLOCK}, dim3{THREADS_X, BLOCK}, picture, pattern,
           height, width);
}

#ifdef MAIN
int main()
{
    for (const auto& [height, width] : {std::pair{19, 272}, std::pair{8, 16}, std::pair{1, 1}, std::pair{17, 37}}) {
        auto* picture = new unsigned char[height * width * 3];
        auto* pattern = new signed char[height * width];
        for (int i = 0; i < height * width * 3; ++i)
            picture[i] = static_cast<unsigned char>(i * 7919 >> 3);
        for (int i = 0; i < height * width; ++i)
            pattern[i] = static_cast<signed char>(i * 31);
        run(picture, pattern, height, width);
        delete[] picture;
        delete[] pattern;
    }
}
#endif
