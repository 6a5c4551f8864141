#pragma once

#include "core/error.h"
#include "core/join.h"

namespace llamatune {

// The messages of the first problems, and how many more there are: "a; b; c; d; and 3 more".
inline std::string problem_list(const std::vector<problem> & problems) {
    constexpr size_t n_shown = 4;
    std::string list;
    for (size_t i = 0; i < problems.size() && i < n_shown; i++) append_to(list, problems[i].message, "; ");
    return problems.size() > n_shown ? list + "; and " + std::to_string(problems.size() - n_shown) + " more" : list;
}

}
