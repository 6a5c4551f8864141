#include "model/placement.h"

#include "core/error.h"
#include "core/join.h"

#include <algorithm>
#include <numeric>
#include <regex>

namespace llamatune {

namespace {

bool is_chosen(ggml_backend_dev_t device, const std::vector<ggml_backend_dev_t> & devices) {
    return ggml_backend_dev_type(device) == GGML_BACKEND_DEVICE_TYPE_CPU ||
           std::find(devices.begin(), devices.end(), device) != devices.end();
}

std::string names_of(const std::vector<ggml_backend_dev_t> & devices) {
    return devices.empty() ? "none" : join_texts(devices, ggml_backend_dev_name);
}

std::string pattern_problem(const placement_rule & rule, const gguf_reader & file) {
    try {
        const std::regex pattern(rule.pattern);
        for (const gguf_tensor & tensor : file.tensors()) {
            if (std::regex_search(tensor.name, pattern)) return "";
        }
        return "'" + rule.pattern + "' matches no weight";
    } catch (const std::regex_error & e) {
        return "'" + rule.pattern + "' is not a regular expression (" + e.what() + ")";
    }
}

std::string device_problem(const placement_rule & rule, const std::vector<ggml_backend_dev_t> & devices) {
    if (is_chosen(rule.device, devices)) return "";
    const std::string name = ggml_backend_dev_name(rule.device), about = ggml_backend_dev_description(rule.device);
    return "'" + rule.pattern + "' goes to " + name + " (" + about + "), which is not among the chosen devices (" +
           names_of(devices) + ")";
}

}

void check_placement(const std::vector<placement_rule> & rules,
                     const std::optional<std::vector<ggml_backend_dev_t>> & devices, const gguf_reader & file) {
    std::string problems;
    for (const placement_rule & rule : rules) {
        for (const std::string & problem :
             {pattern_problem(rule, file), devices ? device_problem(rule, *devices) : ""}) {
            if (!problem.empty()) append_to(problems, problem, "; ");
        }
    }
    if (problems.empty()) return;
    throw error("PLACEMENT_INVALID", "invalid placement: " + problems,
                "llamatune inspect --tensors lists the weights; 'experts-on-cpu' is for models with experts; 'device' "
                "chooses the devices");
}

void check_device_count(const std::vector<ggml_backend_dev_t> & devices) {
    constexpr size_t scheduler_limit = 16; // ggml's GGML_SCHED_MAX_BACKENDS, which is private and an assertion
    size_t n_cpu = 0;                      // the CPU and its accelerators
    for (size_t i = 0; i < ggml_backend_dev_count(); i++) {
        const auto type = ggml_backend_dev_type(ggml_backend_dev_get(i));
        if (type == GGML_BACKEND_DEVICE_TYPE_CPU || type == GGML_BACKEND_DEVICE_TYPE_ACCEL) n_cpu++;
    }
    if (devices.size() + n_cpu <= scheduler_limit) return;
    throw error("PLACEMENT_INVALID",
                "expected at most " + std::to_string(scheduler_limit - n_cpu) +
                    " devices in addition to the CPU but received " + std::to_string(devices.size()) + ": " +
                    names_of(devices),
                "choose fewer devices with device");
}

void check_split(const std::vector<float> & proportions, const std::vector<ggml_backend_dev_t> & devices) {
    if (proportions.empty()) return;
    const bool positive = std::accumulate(proportions.begin(), proportions.end(), 0.0f) > 0;
    if (proportions.size() == devices.size() && positive) return;
    throw error("PLACEMENT_INVALID",
                "expected a tensorSplit of " + std::to_string(devices.size()) + " proportions, one for each device (" +
                    names_of(devices) + "), but received " +
                    (positive ? std::to_string(proportions.size()) : "zeros only"),
                "choose the devices with device, or leave tensorSplit out to split by free memory");
}

}
