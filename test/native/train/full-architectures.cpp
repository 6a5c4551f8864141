#include "architectures/table.h"
#include "core/error.h"
#include "harness.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

using namespace llamatune;

// Checks the kernels' gradients of weights that LoRA does not train: convolution taps, gains, decays, biases.
TEST("train/full: kernels and composed rules give the same gradients of every architecture's weights") {
    std::string wrong;
    for (const std::string & name : architectures::trainable()) {
        try {
            const auto m = tiny::arch(name);
            const micro_batch batch = tiny_batch(*m, 2, 9);
            tiny::training_options options;
            options.mode = train_mode::full;
            tiny::training t(m, batch, options);
            const tiny::tensor_values by_kernels = tiny::gradients_of(t, batch);
            options.step.gradient.rules = rule_mode::composed;
            tiny::training reference(m, batch, options);
            const tiny::tensor_values composed = tiny::gradients_of(reference, batch);
            const double whole = std::sqrt(tiny::dot(composed, composed));
            for (size_t i = 0; i < composed.size(); i++) {
                tiny::tensor_values difference{composed[i]};
                for (size_t j = 0; j < composed[i].size(); j++) difference[0][j] -= by_kernels[i][j];
                const double off = std::sqrt(tiny::dot(difference, difference));
                const double length = std::sqrt(tiny::dot({composed[i]}, {composed[i]}));
                if (!(off <= 1e-4 * length + 1e-6 * whole)) {
                    wrong +=
                        "\n    " + name + ": " + t.parameters()[i].name + " differs by " + std::to_string(off / length);
                }
            }
        } catch (const error & e) { wrong += "\n    " + name + ": " + e.code() + ": " + e.what(); }
    }
    tiny::expect_slopes(wrong);
}
