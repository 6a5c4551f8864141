#pragma once

// Compares a mixture of experts on two devices. Top-k routing is discontinuous: where two experts have nearly equal
// scores, rounding sends a token to the other one, and each device's gradient is right for its own routing. So the
// second device runs with the first one's routing, and wherever its own choice differs, the scores must be nearly
// equal.

#include "train/step.h"

#include <cstdint>
#include <vector>

namespace test_device {

class expert_routing {
public:
    explicit expert_routing(int64_t used_experts) : used_experts_(used_experts) {}

    // Records the expert selections of a step with these options.
    void record(llamatune::step_options & options);
    // Replaces the selections of a step with these options by the recorded ones. Run it once, after the recorded step.
    void impose(llamatune::step_options & options);

    size_t n_recorded() const { return recorded_.size(); }
    int64_t n_moved() const { return n_moved_; } // tokens whose own selection was another one
    // The largest relative score gap, over the moved tokens, between the weakest expert of the token's own selection
    // and the weakest expert of the recorded one.
    float widest_tie() const { return widest_tie_; }

private:
    void replace(ggml_tensor * indices);

    int64_t used_experts_;
    std::vector<std::vector<int32_t>> recorded_; // indices [n_expert, n_tokens] of each selection
    size_t replaced_ = 0;
    int64_t n_moved_ = 0;
    float widest_tie_ = 0;
};

}
