#include "device/expert-routing.h"

#include "harness.h"

#include <ggml-backend.h>

#include <algorithm>

namespace test_device {

namespace {

template <typename T>
std::vector<T> values_of(const ggml_tensor * t) {
    std::vector<T> values(size_t(ggml_nelements(t)));
    ggml_backend_tensor_get(t, values.data(), 0, values.size() * sizeof(T));
    return values;
}

}

void expert_routing::record(llamatune::step_options & options) {
    options.on_selection = [this](ggml_tensor * indices) { recorded_.push_back(values_of<int32_t>(indices)); };
}

void expert_routing::impose(llamatune::step_options & options) {
    options.on_selection = [this](ggml_tensor * indices) { replace(indices); };
}

void expert_routing::replace(ggml_tensor * indices) {
    CHECK(replaced_ < recorded_.size());
    const std::vector<int32_t> & imposed = recorded_[replaced_++];
    const std::vector<int32_t> own = values_of<int32_t>(indices);
    const std::vector<float> scores = values_of<float>(indices->src[0]);
    CHECK_EQ(imposed.size(), own.size());
    const auto n_experts = size_t(indices->ne[0]);
    for (size_t token = 0; token < own.size(); token += n_experts) {
        const auto weakest = [&](const std::vector<int32_t> & experts) {
            float least = scores[token + size_t(experts[token])];
            for (int64_t i = 1; i < used_experts_; i++) {
                least = std::min(least, scores[token + size_t(experts[token + size_t(i)])]);
            }
            return least;
        };
        const float wanted = weakest(own), received = weakest(imposed);
        if (wanted == received) continue; // the same experts: no two scores are equal here
        n_moved_++;
        widest_tie_ = std::max(widest_tie_, (wanted - received) / wanted);
    }
    ggml_backend_tensor_set(indices, imposed.data(), 0, imposed.size() * sizeof(int32_t));
}

}
