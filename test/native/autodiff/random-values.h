#pragma once

#include "core/rng.h"

#include <vector>

// Standard normal numbers.
inline std::vector<float> random_values(llamatune::rng & random, int64_t count) {
    std::vector<float> values(static_cast<size_t>(count));
    random.fill_normal(values.data(), values.size(), 1.0f);
    return values;
}
