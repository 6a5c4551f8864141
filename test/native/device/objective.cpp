// The loss, its gradient and its metrics on the device under test, which may be the CPU: its kernel there, and composed
// of ops elsewhere.

#include "device/test-device.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "model/tokenizer.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

std::string model_path() {
    create_options o = tiny::options("llama", tiny::scratch("device-objective.gguf"));
    create_model(o);
    return o.path;
}

}

TEST("device/objective: label smoothing gives the loss and the gradients of the CPU's ops") {
    const std::string path = model_path();
    load_options on_cpu;
    on_cpu.path = path;
    const auto there = test_device::load(path), here = model::load(on_cpu);
    const micro_batch batch = tiny_batch(*here, 2, 12);
    training_options options;
    options.step.loss = make_objective({"cross-entropy", {{"labelSmoothing", 0.2}}});
    training_options composed = options;
    composed.step.gradient.rules = rule_mode::composed;
    training device(there, batch, options), reference(here, batch, composed);
    const double expected = reference.loss(batch);
    CHECK_NEAR(device.loss(batch), expected, 1e-2 * expected); // products in F16 on some devices
    CHECK(tiny::relative_error(tiny::gradients_of(device, batch), tiny::gradients_of(reference, batch)) < 4e-2);
}

TEST("device/objective: exactly one token of the vocabulary has the largest logit") {
    const auto m = test_device::load(model_path());
    micro_batch batch = tiny_batch(*m, 2, 12);
    const std::vector<int32_t> positions = {0, 3, 11, 23};
    batch.target_position.clear();
    batch.target_token.clear();
    for (const int32_t position : positions) {
        for (int32_t token = 0; token < vocabulary_size(*m); token++) {
            batch.target_position.push_back(position);
            batch.target_token.push_back(token);
        }
    }
    batch.target_weight.assign(batch.target_token.size(), 1.0f);
    for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
        training_options options;
        options.step.gradient.rules = rules;
        training t(m, batch, options);
        CHECK_EQ(t.metrics(batch).at("tokenAccuracy"), double(positions.size()));
    }
}
