// Tests mixtures of experts in which not every expert is used: gradients against differences of the loss, and the
// memory of a step. (The generated models of architectures/ use all of their experts.)

#include "adapter/targets.h"
#include "core/error.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "model/weights.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>
#include <cmath>
#include <set>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

std::shared_ptr<model> load_writable(const std::string & type = "F32") {
    load_options o;
    o.path = tiny::path("qwen3moe", type);
    o.use_mmap = false;
    return model::load(o);
}

// Returns the slope of the loss along a unit direction. The loss jumps where two experts' scores cross. The steps are
// so small that this does not happen in these models; two step sizes are used, so that a jump would show.
double narrow_slope(training & t, const micro_batch & batch, const tiny::tensor_values & direction) {
    const tiny::tensor_values start = t.values();
    const auto difference = [&](double step) {
        const auto loss_at = [&](double along) {
            tiny::tensor_values moved = start;
            for (size_t i = 0; i < moved.size(); i++) {
                for (size_t j = 0; j < moved[i].size(); j++)
                    moved[i][j] = float(double(start[i][j]) + along * double(direction[i][j]));
            }
            t.set_values(moved);
            return t.loss(batch);
        };
        return (loss_at(step) - loss_at(-step)) / (2 * step);
    };
    const double wide = difference(4e-3), narrow = difference(2e-3);
    t.set_values(start);
    return (4 * narrow - wide) / 3;
}

std::string check_narrow_slopes(training & t, const micro_batch & batch, double tolerance) {
    const tiny::tensor_values g = tiny::gradients_of(t, batch);
    std::set<std::string> kinds;
    for (const parameter & p : t.parameters()) kinds.insert(tiny::kind_of(p.name));
    std::ostringstream wrong;
    for (const std::string & kind : kinds) {
        const auto of_kind = [&](const std::string & name) { return tiny::kind_of(name) == kind; };
        tiny::tensor_values direction = tiny::only(t, g, of_kind);
        const double length = std::sqrt(tiny::dot(direction, direction));
        if (!(length > 1e-2)) wrong << " " << kind << ": a gradient of length " << length << ";";
        const tiny::tensor_values random = tiny::random_direction(t, of_kind, 7);
        const double random_length = std::sqrt(tiny::dot(random, random));
        for (size_t i = 0; i < direction.size(); i++) { // the gradient plus a random direction, of length 1
            for (size_t j = 0; j < direction[i].size(); j++)
                direction[i][j] =
                    float((double(direction[i][j]) / length + double(random[i][j]) / random_length) / std::sqrt(2.0));
        }
        const double measured = narrow_slope(t, batch, direction), computed = tiny::dot(g, direction);
        if (!(std::fabs(measured - computed) <= tolerance * length))
            wrong << " " << kind << ": " << measured << " measured, " << computed << " computed, of length " << length
                  << ";";
    }
    return wrong.str();
}

}

TEST("train/gradients of experts: every weight kind, LoRA and full, by both rule modes, also with gradient "
     "checkpointing") {
    const auto m = load_writable();
    const micro_batch batch = tiny_batch(*m, 2, 9);
    std::string wrong;
    for (const train_mode mode : {train_mode::lora, train_mode::full}) {
        training_options options;
        options.mode = mode;
        training t(m, batch, options);
        wrong += check_narrow_slopes(t, batch, 5e-3);
        const tiny::tensor_values automatic = tiny::gradients_of(t, batch);
        for (const bool recompute : {false, true}) {
            options.step.gradient.rules = recompute ? rule_mode::automatic : rule_mode::composed;
            options.step.recompute = recompute;
            training other(m, batch, options);
            const double difference = tiny::relative_error(tiny::gradients_of(other, batch), automatic);
            if (!(difference < 1e-5))
                wrong += std::string(recompute ? " recomputed: " : " composed: ") + std::to_string(difference);
        }
    }
    tiny::expect_slopes(wrong);
}

TEST("train/gradients of experts: a step on quantized experts never holds a layer of them in F32") {
    create_options o = tiny::options("qwen3moe", tiny::scratch("many-experts.gguf"));
    o.layers = 1;
    o.embedding_length = 256;
    o.experts = 64;
    o.used_experts = 4;
    o.expert_feed_forward_length = 768;
    o.type = "Q8_0";
    create_model(o);
    load_options l;
    l.path = o.path;
    const auto m = model::load(l); // mapped from its file
    const size_t layer_as_f32 =
        size_t(3 * o.experts * o.embedding_length * o.expert_feed_forward_length) * sizeof(float); // 151 MB
    const micro_batch batch = tiny_batch(*m, 2, 16);
    for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
        training_options options;
        options.targets = {"attn_q", "ffn_down_exps"};
        options.step.gradient.rules = rules;
        options.step.allocate = false;
        training t(m, batch, options);
        CHECK(t.compute_bytes() < layer_as_f32 / 3);
    }
}
