// Large models need many slices of their weights and therefore large graphs. These tests use tiny slices instead.

#include "harness.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

using namespace llamatune;

namespace {

std::shared_ptr<model> wide_llama() {
    create_options o = tiny::options("llama", tiny::scratch("wide-llama.gguf"));
    o.layers = 4;
    o.feed_forward_length = 3000;
    o.init_std = 0.05f;
    create_model(o);
    load_options load;
    load.path = o.path;
    return model::load(load);
}

// Counts the nodes that a step runs.
int64_t count(const tiny::training & t) {
    int64_t nodes = 0;
    for (const profile_entry & kind : t.profile()) nodes += kind.count;
    return nodes;
}

void expect_same_gradients(const std::shared_ptr<model> & m, bool recompute, int64_t least_nodes) {
    const micro_batch batch = tiny_batch(*m, 1, 12);
    tiny::training_options whole;
    whole.step.gradient.rules = rule_mode::composed;
    whole.step.recompute = recompute;
    tiny::training_options sliced = whole;
    sliced.step.gradient.slice_bytes = 1; // one row at a time
    sliced.step.profile = true;
    tiny::training in_one(m, batch, whole), in_slices(m, batch, sliced);
    const tiny::tensor_values expected = tiny::gradients_of(in_one, batch);
    CHECK(tiny::relative_error(tiny::gradients_of(in_slices, batch), expected) < 1e-5);
    CHECK(count(in_slices) > least_nodes);
}

}

TEST("train/slices: tens of thousands of nodes give the same gradients as whole weights") {
    expect_same_gradients(wide_llama(), false, 50000);
}

TEST("train/slices: experts with gradient checkpointing") {
    expect_same_gradients(tiny::load("qwen3moe", "Q8_0"), true, 5000);
}
