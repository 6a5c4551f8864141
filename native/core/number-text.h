#pragma once

#include <cmath>
#include <cstdio>
#include <string>

namespace llamatune {

// A number for messages: "16", "151936", "0.1", "1e-08".
inline std::string number_text(double value, int digits = 6) {
    char text[32];
    const bool is_whole = value == std::floor(value) && std::abs(value) < 1e12;
    if (is_whole)
        std::snprintf(text, sizeof(text), "%.0f", value);
    else
        std::snprintf(text, sizeof(text), "%.*g", digits, value);
    return text;
}

}
