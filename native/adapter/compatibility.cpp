#include "adapter/compatibility.h"

#include "adapter/adapter-keys.h"
#include "adapter/fingerprint.h"
#include "core/error.h"
#include "core/join.h"
#include "core/number-text.h"
#include "core/problem-list.h"
#include "model/weights.h"

#include "llama-model.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

namespace llamatune {

namespace {

bool has_shape(const gguf_tensor & tensor, int64_t n0, int64_t n1, int64_t n2) {
    return tensor.shape == std::array<int64_t, 4>{n0, n1, n2, 1};
}

void check_pair(const stored_pair & pair, const model & base, std::vector<problem> & problems) {
    const ggml_tensor * weight = find_weight(base, pair.name);
    if (!weight) {
        problems.push_back({pair.name, "the model has no weight '" + pair.name + "'"});
        return;
    }
    const int64_t *w = weight->ne, rank = pair.rank();
    const bool fits = w[3] == 1 && (is_looked_up(weight->name)
                                        ? has_shape(*pair.a, rank, w[1], 1) && has_shape(*pair.b, rank, w[0], 1)
                                        : has_shape(*pair.a, w[0], rank, w[2]) && has_shape(*pair.b, rank, w[1], w[2]));
    if (fits) return;
    problems.push_back({pair.name, "its pair for '" + pair.name + "' has shapes " + shape_text(pair.a->shape.data()) +
                                       " and " + shape_text(pair.b->shape.data()) + ", which do not fit the weight's " +
                                       shape_text(w)});
}

void check_base(const recorded_base & recorded, const model & base, std::vector<problem> & problems) {
    const base_fingerprint own = fingerprint_of(base);
    const size_t before = problems.size();
    const auto compare = [&](const char * key, int64_t value, int64_t expected, const char * what) {
        if (value == expected) return;
        problems.push_back({key, "it was trained on a model with " + std::to_string(value) + " " + what +
                                     ", this one has " + std::to_string(expected)});
    };
    compare(adapter_keys::base_block_count, recorded.block_count, own.block_count, "layers");
    compare(adapter_keys::base_embedding_length, recorded.embedding_length, own.embedding_length,
            "embedding dimensions");
    if (recorded.shapes == own.shapes || problems.size() > before) return;
    problems.push_back({adapter_keys::base_shapes, "it was trained on another model" +
                                                       (recorded.name.empty() ? "" : " ('" + recorded.name + "')") +
                                                       ": the names or shapes of the tensors differ (" +
                                                       recorded.shapes + ", this one " + own.shapes + ")"});
}

std::string ranks_text(const adapter_header & adapter) {
    std::set<int64_t> ranks;
    for (const stored_pair & pair : adapter.pairs) ranks.insert(pair.rank());
    return join_texts(ranks, [](int64_t rank) { return std::to_string(rank); });
}

// Lists the weight names in `from` that `without` lacks; empty if there are none.
std::string difference(const std::set<std::string> & from, const std::set<std::string> & without) {
    std::string text;
    size_t n = 0;
    for (const std::string & name : from) {
        if (without.count(name) || n++ >= 3) continue;
        append_to(text, "'" + name + "'");
    }
    return n > 3 ? text + " and " + std::to_string(n - 3) + " more" : text;
}

void check_target_option(const adapter_header & adapter, const std::vector<lora_target> & targets,
                         std::vector<problem> & problems) {
    std::set<std::string> requested, stored;
    for (const lora_target & target : targets) requested.insert(target.name);
    for (const stored_pair & pair : adapter.pairs) stored.insert(pair.name);
    const std::string missing = difference(requested, stored), extra = difference(stored, requested);
    if (missing.empty() && extra.empty()) return;
    problems.push_back({"lora.targets", "expected the weights of the adapter but received " +
                                            (missing.empty() ? "" : "others, which it lacks: " + missing) +
                                            (missing.empty() || extra.empty() ? "" : "; ") +
                                            (extra.empty() ? "" : "fewer, without " + extra)});
}

}

void check_compatible(const adapter_header & adapter, const model & base) {
    std::vector<problem> problems;
    const std::string architecture = base.handle()->arch_name();
    if (adapter.architecture != architecture) {
        problems.push_back({"general.architecture", "it was made for the architecture '" + adapter.architecture +
                                                        "', this one is '" + architecture + "'"});
    } else {
        for (const stored_pair & pair : adapter.pairs) check_pair(pair, base, problems);
        if (adapter.base) check_base(*adapter.base, base, problems);
    }
    if (problems.empty()) return;
    throw error("ADAPTER_MISMATCH",
                "the adapter '" + adapter.path() + "' does not belong to this model: " + problem_list(problems),
                "use the base model that this adapter was trained on", problems);
}

void check_trainable(const adapter_header & adapter, const model & base) {
    check_compatible(adapter, base);
    std::vector<problem> problems;
    for (const stored_pair & pair : adapter.pairs) {
        if (!can_be_target(find_weight(base, pair.name)))
            problems.push_back({pair.name, "'" + pair.name + "' is not the matrix of a linear layer"});
    }
    for (const std::string & name : adapter.other_tensors)
        problems.push_back({name, "'" + name + "' is not part of a LoRA pair and would be lost"});
    if (problems.empty()) return;
    throw error("TARGET_UNSUPPORTED", "cannot train the adapter '" + adapter.path() + "': " + problem_list(problems),
                "start a new adapter, or continue one that llamatune wrote", problems);
}

void check_options(const adapter_header & adapter, const adapter_options & options,
                   const std::vector<lora_target> & targets) {
    std::vector<problem> problems;
    const auto differs = [&](const char * option, const std::string & stored, const std::string & given) {
        problems.push_back({option, "expected " + stored + " but received " + given});
    };
    if (options.rank && adapter.rank() != options.rank)
        differs("lora.rank", ranks_text(adapter), std::to_string(*options.rank));
    if (options.rs_lora && adapter.rs_lora && options.rs_lora != adapter.rs_lora)
        differs("lora.rsLora", *adapter.rs_lora ? "true" : "false", *options.rs_lora ? "true" : "false");
    // If the file does not say whether its alpha includes rsLoRA's factor, the option decides.
    const bool rs_lora = adapter.rs_lora.value_or(options.rs_lora.value_or(false));
    const std::optional<float> alpha = adapter.option_alpha(rs_lora);
    if (options.alpha && (!alpha || std::fabs(*options.alpha - *alpha) > 1e-5f * *alpha))
        differs("lora.alpha", alpha ? number_text(*alpha) : "no alpha, which its ranks do not allow,",
                number_text(*options.alpha));
    if (!targets.empty()) check_target_option(adapter, targets, problems);
    if (problems.empty()) return;
    const auto describe = [](const problem & p) { return p.path + ": " + p.message; };
    throw error("CONFIG_INVALID",
                "options that differ from the adapter '" + adapter.path() +
                    "': " + join_texts(problems, describe, "; "),
                "leave these options out to continue the adapter as it is, or start a new one", problems);
}

}
