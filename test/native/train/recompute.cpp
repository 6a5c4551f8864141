// Activations computed again for the backward pass: the same losses and gradients, in less memory.

#include "core/error.h"
#include "harness.h"
#include "lora/targets.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <iostream>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

// What is different with recomputation; empty when nothing is, to the last bit.
std::string difference(const std::shared_ptr<model> & m, const micro_batch & batch, training_options options) {
    const double weight = 1.0 / double(batch.target_token.size());
    training once(m, batch, options);
    options.step.recompute = true;
    training again(m, batch, options);
    std::string problem;
    for (int run = 0; run < 2; run++) { // the second meets what the first left in memory
        if (once.run(batch, weight) != again.run(batch, weight)) problem = " another loss;";
        const tiny::tensor_values a = once.gradients(), b = again.gradients();
        if (!(tiny::dot(a, a) > 0)) problem += " no gradient;";
        if (a != b) problem += " gradients differ by " + std::to_string(tiny::relative_error(b, a)) + ";";
    }
    return problem;
}

}

TEST("train/recompute: every listed architecture has the same loss and gradients, by both kinds of rules") {
    std::string wrong;
    for (const std::string & name : harness::trainable_architectures()) {
        for (const rule_mode rules : { rule_mode::automatic, rule_mode::composed }) {
            try {
                const auto m = tiny::arch(name);
                training_options options;
                options.step.rules = rules;
                for (const std::string & kind : target_kinds(*m)) {
                    if (kind.rfind("vis_", 0) != 0) options.targets.push_back(kind);
                }
                const std::string problem = difference(m, tiny_batch(*m, 2, 9), options);
                if (!problem.empty()) wrong += "\n    " + name + ":" + problem;
            } catch (const error & e) { wrong += "\n    " + name + ": " + e.code() + ": " + e.what(); }
        }
    }
    tiny::expect_slopes(wrong);
}
