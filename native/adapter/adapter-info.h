#pragma once

#include "adapter/adapter-header.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

struct adapter_weight {
    std::string name;
    int64_t rank;
};

template <class V>
void fields(V & v, adapter_weight & w) {
    v("name", w.name);
    v("rank", w.rank);
}

// What an adapter file holds, in the terms of the options.
struct adapter_info {
    std::string architecture;
    std::optional<int64_t> rank; // where all weights have the same
    std::optional<double> alpha; // not set where the ranks allow none
    std::optional<bool> rs_lora; // not set in files of other tools, whose alpha includes the factor
    uint64_t parameters = 0;
    std::vector<adapter_weight> weights;
    std::optional<recorded_base> base;           // not set in files of other tools
    std::map<std::string, std::string> metadata; // scalar values, as text
};

template <class V>
void fields(V & v, adapter_info & i) {
    v("architecture", i.architecture);
    v("rank", i.rank);
    v("alpha", i.alpha);
    v("rsLora", i.rs_lora);
    v("parameters", i.parameters);
    v("weights", i.weights);
    v("base", i.base);
    v("metadata", i.metadata);
}

// Throws what adapter_header throws.
adapter_info describe_adapter(const std::string & path);

}
