#pragma once

#include <cstdio>
#include <string>

namespace llamatune {

// A number for messages: "16", "0.1", "1e-08".
inline std::string number_text(double value) {
    char text[32];
    std::snprintf(text, sizeof(text), "%g", value);
    return text;
}

}
