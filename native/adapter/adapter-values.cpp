#include "adapter/adapter-values.h"

#include "adapter/adapter-file.h"
#include "core/error.h"
#include "core/problem-list.h"
#include "gguf/reader.h"
#include "model/weights.h"

#include <ggml-backend.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace llamatune {

namespace {

std::vector<float> values_of(const ggml_tensor * tensor) {
    std::vector<float> values(size_t(ggml_nelements(tensor)));
    ggml_backend_tensor_get(tensor, values.data(), 0, values.size() * sizeof(float));
    return values;
}

void set_values(ggml_tensor * tensor, const std::vector<float> & values) {
    if (int64_t(values.size()) != ggml_nelements(tensor))
        throw error("ADAPTER_MISMATCH",
                    "'" + std::string(tensor->name) + "' has " + std::to_string(values.size()) +
                        " values, which do not fit the shape " + shape_text(tensor->ne),
                    "use the base model that this adapter was trained on");
    ggml_backend_tensor_set(tensor, values.data(), 0, values.size() * sizeof(float));
}

// Throws error ADAPTER_INVALID, naming all pairs with values that are not finite.
void check_finite(const std::vector<pair_values> & pairs) {
    const auto are_finite = [](const std::vector<float> & values) {
        return std::all_of(values.begin(), values.end(), [](float value) { return std::isfinite(value); });
    };
    std::vector<problem> problems;
    for (const pair_values & pair : pairs) {
        if (!are_finite(pair.a) || !are_finite(pair.b))
            problems.push_back({pair.name, "its pair for '" + pair.name + "' has values that are not finite"});
    }
    if (problems.empty()) return;
    throw error("ADAPTER_INVALID", "cannot use the adapter: " + problem_list(problems),
                "its training diverged, or the file is damaged: use an earlier checkpoint, or copy it again", problems);
}

}

adapter_values read_adapter_values(const std::string & path, const std::shared_ptr<model> & base) {
    const std::unique_ptr<adapter> from = read_adapter(path, base);
    adapter_values values{from->alpha(), from->rs_lora(), {}};
    for (const lora_pair & pair : from->pairs())
        values.pairs.push_back({pair.name, pair.b->ne[0], pair.b->ne[2], values_of(pair.a), values_of(pair.b)});
    check_finite(values.pairs);
    return values;
}

void write_adapter_values(const std::string & path, const adapter_values & values,
                          const std::shared_ptr<model> & base) {
    check_finite(values.pairs);
    std::vector<adapter::slot> slots;
    std::map<std::string, const pair_values *> by_name;
    for (const pair_values & pair : values.pairs) {
        ggml_tensor * weight = find_weight(*base, pair.name);
        if (!weight)
            throw error("ADAPTER_MISMATCH", "the model has no weight '" + pair.name + "'",
                        "use the base model that this adapter was trained on");
        slots.push_back({{pair.name, weight}, pair.rank});
        by_name[pair.name] = &pair;
    }
    const std::unique_ptr<adapter> out = adapter::zeros(base, std::move(slots), values.alpha, values.rs_lora);
    for (const lora_pair & pair : out->pairs()) {
        set_values(pair.a, by_name[pair.name]->a);
        set_values(pair.b, by_name[pair.name]->b);
    }
    write_adapter(path, *out);
}

}
