#pragma once

#include <map>
#include <string>

namespace llamatune {

// Numbers by name: options of one kind of optimizer or objective, or the metrics of an objective.
using named_numbers = std::map<std::string, double>;

inline double number_or(const named_numbers & numbers, const char * name, double fallback) {
    const auto found = numbers.find(name);
    return found == numbers.end() ? fallback : found->second;
}

}
