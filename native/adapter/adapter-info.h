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

// The content of an adapter file, in the terms of the options.
struct adapter_info {
    std::string architecture;
    std::optional<int64_t> rank; // not set if ranks differ
    std::optional<double> alpha; // not set if no value of the option gives this scale
    std::optional<bool> rs_lora; // not set in files of other tools, whose alpha includes rsLoRA's factor
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

// Throws the errors of adapter_header.
adapter_info describe_adapter(const std::string & path);

}
