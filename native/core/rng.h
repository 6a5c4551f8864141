#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace llamatune {

// xoshiro256** seeded by splitmix64 (Blackman & Vigna, https://prng.di.unimi.it). Unlike the distributions of std::,
// it gives the same numbers on every platform and compiler.
class rng {
public:
    explicit rng(uint64_t seed);
    // Use one stream per purpose: drawing from one stream never changes the numbers of another.
    rng(uint64_t seed, uint64_t stream);

    uint64_t next();
    uint64_t below(uint64_t n);                             // uniform in [0, n), without modulo bias
    float uniform(float lo, float hi);                      // uniform in [lo, hi)
    float normal();                                         // standard normal (Box-Muller, one value per call)
    void fill_normal(float * out, size_t n, float std_dev); // both values of each pair: half the cost

private:
    std::array<uint64_t, 4> s_;
};

}
