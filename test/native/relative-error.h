#pragma once

#include <cmath>
#include <vector>

// Returns ‖a - b‖ / ‖b‖, or 1 if b is all zeros, which no test expects.
template <typename A, typename B>
double relative_error(const std::vector<A> & a, const std::vector<B> & b) {
    double error = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        const double difference = double(a[i]) - double(b[i]);
        error += difference * difference;
        norm += double(b[i]) * double(b[i]);
    }
    return norm > 0 ? std::sqrt(error / norm) : 1.0;
}
