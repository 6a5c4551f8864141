#include "model/hyperparameters.h"

#include "core/error.h"
#include "core/join.h"
#include "core/number-text.h"

#include <llama-arch.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace llamatune {

namespace {

enum class range { finite, not_negative, positive, positive_integer };

struct key_range {
    const char * key; // after "<architecture>."
    range allowed;
    std::vector<const char *> architectures; // architectures that read the key (empty = all)
};

// If a file has the key, each of its numbers must be in the range.
const key_range key_ranges[] = {
    // GGML_ASSERT(eps >= 0.0f) in NORM, RMS_NORM, L2_NORM
    {"attention.layer_norm_epsilon", range::not_negative},
    {"attention.layer_norm_rms_epsilon", range::not_negative},
    {"attention.group_norm_epsilon", range::not_negative},
    {"hyper_connection.epsilon", range::not_negative},
    {"xielu.eps", range::finite},
    // the base of a power, and divisors
    {"rope.freq_base", range::positive},
    {"rope.freq_base_swa", range::positive},
    {"attention.compress_rope_freq_base", range::positive, {"deepseek4"}},
    {"rope.scaling.factor", range::not_negative},
    {"rope.scale_linear", range::not_negative},
    {"attn_logit_softcapping", range::not_negative},
    {"router_logit_softcapping", range::not_negative},
    {"final_logit_softcapping", range::not_negative},
    {"attention.clamp_kqv", range::not_negative},
    {"attention.max_alibi_bias", range::not_negative},
    // factors
    {"rope.scaling.alpha", range::finite},
    {"rope.scaling.attn_factor", range::finite},
    {"rope.scaling.yarn_log_multiplier", range::finite},
    {"rope.scaling.yarn_ext_factor", range::finite},
    {"rope.scaling.yarn_attn_factor", range::finite},
    {"rope.scaling.yarn_beta_fast", range::finite},
    {"rope.scaling.yarn_beta_slow", range::finite},
    {"attention.scale", range::finite},
    {"attention.output_scale", range::finite},
    {"attention.value_scale", range::finite},
    {"attention.temperature_scale", range::finite},
    {"logit_scale", range::finite},
    {"residual_scale", range::finite},
    {"embedding_scale", range::finite},
    {"expert_weights_scale", range::finite},
    {"expert_group_scale", range::finite},
    {"swiglu_clamp_exp", range::finite},
    {"swiglu_clamp_shexp", range::finite},
    // integer divisors
    {"block_count", range::positive_integer},
    {"embedding_length", range::positive_integer},
    {"context_length", range::positive_integer},
    {"full_attention_interval",
     range::positive_integer,
     {"qwen3next", "qwen35", "qwen35moe", "qwen4exp", "minimax-01"}},
    {"interleave_moe_layer_step", range::positive_integer, {"ernie4_5-moe"}},
    {"experts_per_group", range::positive_integer, {"grovemoe"}},
    {"attention.output_group_count", range::positive_integer, {"deepseek4"}},
    {"attention.group_norm_groups", range::positive_integer, {"wavtokenizer-dec"}},
    {"wkv.head_size", range::positive_integer, {"rwkv6", "rwkv6qwen2", "rwkv7", "arwkv7"}},
    {"ssm.group_count",
     range::positive_integer,
     {"mamba2", "falcon-h1", "granitehybrid", "nemotron_h", "nemotron_h_moe"}},
};

bool in_range(double value, range allowed) {
    switch (allowed) {
    case range::finite: return std::isfinite(value);
    case range::not_negative: return std::isfinite(value) && value >= 0;
    case range::positive: return std::isfinite(value) && value > 0;
    // llama.cpp counts in 32 bits with sign
    case range::positive_integer: return value >= 1 && value <= INT32_MAX && value == std::floor(value);
    }
    return false;
}

const char * range_text(range allowed) {
    switch (allowed) {
    case range::finite: return "a finite number";
    case range::not_negative: return "a finite number of at least 0";
    case range::positive: return "a finite number above 0";
    case range::positive_integer: return "an integer from 1 to 2147483647";
    }
    return "";
}

class checker {
public:
    explicit checker(const gguf_reader & file) : file_(file), architecture_(file.text("general.architecture")) {}

    void check() {
        for (const key_range & row : key_ranges) {
            if (!applies(row)) continue;
            for (const double value : file_.numbers(full(row.key))) {
                if (in_range(value, row.allowed)) continue;
                wrong(row.key, value, std::string("it must be ") + range_text(row.allowed));
                break;
            }
        }
        check_heads();
        check_rope("rope.dimension_count", "attention.key_length");
        check_rope("rope.dimension_count_swa", "attention.key_length_swa");
        check_rope_sections();
        check_experts();
        check_groups("ssm.time_step_rank", "ssm.group_count");
        check_groups("embedding_length", "wkv.head_size");
        if (problems_.empty()) return;
        const auto describe = [](const problem & p) { return p.path + " is " + p.message; };
        throw error("MODEL_INVALID",
                    "the hyperparameters of '" + file_.path() +
                        "' are invalid: " + join_texts(problems_, describe, "; "),
                    "convert or download the model again", problems_);
    }

private:
    bool applies(const key_range & row) const {
        return row.architectures.empty() ||
               std::find(row.architectures.begin(), row.architectures.end(), architecture_) != row.architectures.end();
    }

    std::string full(const std::string & key) const { return architecture_ + "." + key; }

    void wrong(const std::string & key, double value, const std::string & why) {
        problems_.push_back({full(key), number_text(value) + ", but " + why});
    }

    // Returns the key's number, or `fallback` unless it has exactly one.
    double number(const std::string & key, double fallback) const {
        const std::vector<double> values = file_.numbers(full(key));
        return values.size() == 1 ? values[0] : fallback;
    }

    // In every layer, the number of key-value heads must divide the number of query heads.
    void check_heads() {
        const std::vector<double> heads = file_.numbers(full("attention.head_count")),
                                  shared = file_.numbers(full("attention.head_count_kv"));
        const bool recurrent = llm_arch_is_recurrent(llm_arch_from_string(architecture_));
        if (!heads.empty() && !recurrent && *std::max_element(heads.begin(), heads.end()) < 1)
            wrong("attention.head_count", heads[0], "it must be at least 1");
        for (size_t i = 0; i < std::max(heads.size(), shared.size()) && !heads.empty() && !shared.empty(); i++) {
            const double n_head = heads[std::min(i, heads.size() - 1)], n_kv = shared[std::min(i, shared.size() - 1)];
            if (n_head <= 0 || n_kv <= 0 || std::fmod(n_head, n_kv) == 0) continue;
            return wrong("attention.head_count_kv", n_kv,
                         "it must divide " + full("attention.head_count") + " (" + number_text(n_head) + ")");
        }
    }

    double head_length(const char * key) const {
        const double heads = number("attention.head_count", 0);
        const double full_length =
            number("attention.key_length", heads > 0 ? std::floor(number("embedding_length", 0) / heads) : 0);
        return number(key, full_length); // 0: not known
    }

    // RoPE rotates pairs of a head's dimensions.
    void check_rope(const char * dimension_key, const char * head_key) {
        const double n_dims = number(dimension_key, 0), length = head_length(head_key);
        if (std::fmod(n_dims, 2) != 0) wrong(dimension_key, n_dims, "it must be even");
        if (length > 0 && n_dims > length)
            wrong(dimension_key, n_dims, "it must not exceed the head length " + number_text(length));
    }

    void check_rope_sections() {
        double total = 0;
        for (const double n : file_.numbers(full("rope.dimension_sections"))) {
            if (!in_range(n, range::not_negative)) return wrong("rope.dimension_sections", n, "it must be at least 0");
            total += n;
        }
        const double length = head_length("attention.key_length");
        if (length > 0 && total > length)
            wrong("rope.dimension_sections", total, "their sum must not exceed the head length " + number_text(length));
    }

    void check_experts() {
        const double n_expert = number("expert_count", 0);
        for (const double n_used : file_.numbers(full("expert_used_count"))) {
            if (n_used > n_expert)
                return wrong("expert_used_count", n_used,
                             "it must not exceed " + full("expert_count") + " (" + number_text(n_expert) + ")");
        }
        const double n_groups = number("expert_group_count", 0), n_used = number("expert_group_used_count", 0);
        if (n_groups <= 1) return;
        if (std::fmod(n_expert, n_groups) != 0)
            wrong("expert_group_count", n_groups,
                  "it must divide " + full("expert_count") + " (" + number_text(n_expert) + ")");
        if (n_used < 1 || n_used > n_groups)
            wrong("expert_group_used_count", n_used,
                  "it must be between 1 and " + full("expert_group_count") + " (" + number_text(n_groups) + ")");
    }

    void check_groups(const char * total_key, const char * divisor_key) {
        const double total = number(total_key, 0), divisor = number(divisor_key, 0);
        if (divisor >= 1 && std::fmod(total, divisor) != 0)
            wrong(divisor_key, divisor, "it must divide " + full(total_key) + " (" + number_text(total) + ")");
    }

    const gguf_reader & file_;
    const std::string architecture_;
    std::vector<problem> problems_;
};

}

void check_hyperparameters(const gguf_reader & file) { checker(file).check(); }

}
