// The constants of JPEG that its two implementations share.
#pragma once

#include <array>

namespace stainfold {

// ITU-T T.81, tables K.1 and K.2.
constexpr std::array<float, 64> kLuma = {
    16, 11, 10, 16, 24,  40,  51,  61,  12, 12, 14, 19, 26,  58,  60,  55,  //
    14, 13, 16, 24, 40,  57,  69,  56,  14, 17, 22, 29, 51,  87,  80,  62,  //
    18, 22, 37, 56, 68,  109, 103, 77,  24, 35, 55, 64, 81,  104, 113, 92,  //
    49, 64, 78, 87, 103, 121, 120, 101, 72, 92, 95, 98, 112, 100, 103, 99};
constexpr std::array<float, 64> kChroma = {17, 18, 24, 47, 99, 99, 99, 99, 18, 21, 26, 66, 99, 99, 99, 99,  //
                                           24, 26, 56, 99, 99, 99, 99, 99, 47, 66, 99, 99, 99, 99, 99, 99,  //
                                           99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99,  //
                                           99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99, 99};

// JFIF, rows R, G, B to Y, Cb, Cr; and the columns of Cb and Cr on the way back (Y's are 1).
constexpr std::array<float, 9> kToYcc = {0.299F, 0.587F, 0.114F,     -0.168736F, -0.331264F,
                                         0.5F,   0.5F,   -0.418688F, -0.081312F};
constexpr std::array<float, 6> kFromChroma = {0.0F, 1.402F, -0.344136F, -0.714136F, 1.772F, 0.0F};

}  // namespace stainfold
