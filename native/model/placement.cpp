#include "model/placement.h"

#include "core/error.h"

#include <numeric>
#include <regex>

namespace llamatune {

namespace {

std::string problem_of(const placement_rule & rule, const gguf_context * file) {
    try {
        const std::regex pattern(rule.pattern);
        for (int64_t i = 0; i < gguf_get_n_tensors(file); i++) {
            if (std::regex_search(gguf_get_tensor_name(file, i), pattern)) return "";
        }
        return "no weight fits '" + rule.pattern + "'";
    } catch (const std::regex_error & e) { return "'" + rule.pattern + "' is no regular expression (" + e.what() + ")"; }
}

}

void check_placement(const std::vector<placement_rule> & rules, const gguf_context * file) {
    std::string problems;
    for (const placement_rule & rule : rules) {
        const std::string problem = problem_of(rule, file);
        if (!problem.empty()) problems += (problems.empty() ? "" : "; ") + problem;
    }
    if (problems.empty()) return;
    throw error("PLACEMENT_INVALID", "expected patterns that fit weights of the model but received others: " + problems,
                "llamatune inspect --tensors lists the weights; 'experts-on-cpu' is for models with experts.");
}

void check_split(const std::vector<float> & proportions, const std::vector<ggml_backend_dev_t> & devices) {
    if (proportions.empty()) return;
    std::string names;
    for (ggml_backend_dev_t device : devices) names += (names.empty() ? "" : ", ") + std::string(ggml_backend_dev_name(device));
    const bool positive = std::accumulate(proportions.begin(), proportions.end(), 0.0f) > 0;
    if (proportions.size() == devices.size() && positive) return;
    throw error("PLACEMENT_INVALID",
                "expected a tensorSplit of " + std::to_string(devices.size()) + " proportions, one for each device (" +
                    (names.empty() ? "none" : names) + "), but received " +
                    (positive ? std::to_string(proportions.size()) : "zeros only"),
                "Name the devices with device, or leave tensorSplit out: then their free memory decides.");
}

}
