#include "core/rng.h"

#include "core/error.h"

#include <cmath>

namespace llamatune {

namespace {

uint64_t splitmix64(uint64_t & state) {
    uint64_t z = (state += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
}

uint64_t rotl(uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }

}

rng::rng(uint64_t seed) {
    for (auto & word : s_) word = splitmix64(seed);
}

// Mixes the hashed stream number with the hashed seed, so that neighbouring seeds and streams start far apart.
rng::rng(uint64_t seed, uint64_t stream) {
    uint64_t mixed = splitmix64(seed) ^ splitmix64(stream);
    mixed = splitmix64(mixed) + rotl(stream, 32);
    for (auto & word : s_) word = splitmix64(mixed);
}

uint64_t rng::next() {
    const uint64_t result = rotl(s_[1] * 5, 7) * 9;
    const uint64_t t = s_[1] << 17;
    s_[2] ^= s_[0];
    s_[3] ^= s_[1];
    s_[1] ^= s_[2];
    s_[0] ^= s_[3];
    s_[2] ^= t;
    s_[3] = rotl(s_[3], 45);
    return result;
}

uint64_t rng::below(uint64_t n) {
    if (n == 0) throw error("ARGUMENT_INVALID", "expected a range of at least one value but received 0");
    // Values under 2^64 mod n would make the low remainders more likely: draw again.
    const uint64_t skip = (0 - n) % n;
    for (;;) {
        const uint64_t r = next();
        if (r >= skip) return r % n;
    }
}

float rng::uniform(float lo, float hi) {
    const float unit = float(next() >> 40) * 0x1.0p-24f; // [0, 1)
    const float value = lo + (hi - lo) * unit;
    return value < hi || !(lo < hi) ? value : std::nextafter(hi, lo); // rounding may reach hi
}

void rng::fill_normal(float * out, size_t n, float std_dev) {
    for (size_t i = 0; i < n; i += 2) {
        const double u1 = double((next() >> 11) + 1) * 0x1.0p-53; // (0, 1]: its logarithm is finite
        const double angle = double(next() >> 11) * 0x1.0p-53 * 6.283185307179586477;
        const double radius = double(std_dev) * std::sqrt(-2.0 * std::log(u1));
        out[i] = float(radius * std::cos(angle));
        if (i + 1 < n) out[i + 1] = float(radius * std::sin(angle));
    }
}

float rng::normal() {
    float value;
    fill_normal(&value, 1, 1.0f);
    return value;
}

}
