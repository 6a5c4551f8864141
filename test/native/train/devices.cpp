// Compares losses and gradients with parts of the model on other devices with those of the CPU alone.

#include "architectures/survey.h"
#include "architectures/table.h"
#include "backends/choose.h"
#include "backends/local-rpc.h"
#include "backends/rpc.h"
#include "core/error.h"
#include "device/test-device.h"
#include "harness.h"
#include "model/weights.h"
#include "tiny-batch.h"
#include "train/linear-targets.h"
#include "train/tiny-training.h"

#include <set>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

struct outcome {
    double loss;
    tiny::tensor_values gradients;
};

outcome outcome_of(const std::shared_ptr<model> & m, training_options options = {}, bool packed = false) {
    micro_batch batch = tiny_batch(*m, 2, 9);
    batch.shape.packed = packed;
    training t(m, batch, options);
    outcome o{t.loss(batch), tiny::gradients_of(t, batch)};
    CHECK(o.loss > 0);
    return o;
}

load_options on(std::vector<ggml_backend_dev_t> devices, int32_t layers = -1) {
    load_options options;
    options.devices = std::move(devices);
    options.gpu_layers = layers;
    return options;
}

void check_same(const outcome & received, const outcome & expected) {
    CHECK_NEAR(received.loss, expected.loss, 1e-6 * expected.loss);
    const double difference = tiny::relative_error(received.gradients, expected.gradients);
    if (!(difference < 3e-5))
        harness::fail(__FILE__, __LINE__, "equal gradients but they differ by " + std::to_string(difference));
}

// Returns the locations of weights: names of buffer types.
std::set<std::string> homes(const model & m, const std::string & part) {
    std::set<std::string> found;
    for (ggml_tensor * weight : list_weights(m)) {
        if (std::string(weight->name).find(part) != std::string::npos)
            found.insert(ggml_backend_buffer_name(weight->buffer));
    }
    return found;
}

}

TEST("train/devices: all layers, some or none on another device give the same loss and gradients") {
    for (const char * name : {"llama", "qwen3", "gemma2"}) {
        const outcome expected = outcome_of(tiny::arch(name));
        for (int32_t layers : {-1, 2, 1, 0}) {
            const auto m = tiny::arch_on(name, on({local_rpc::device(0)}, layers));
            const std::set<std::string> all = homes(*m, "blk.");
            CHECK_EQ(all.size(), layers == 2 ? 2u : 1u); // two layers, and the output counts as one
            CHECK_EQ(compute(*m, 1).devices().front() == local_rpc::device(0), layers != 0);
            check_same(outcome_of(m), expected);
        }
    }
}

TEST("train/devices: layers on two devices, in the given proportions") {
    load_options options = on({local_rpc::device(0), local_rpc::device(1)});
    options.tensor_split = {1, 2};
    const auto m = tiny::arch_on("llama", options);
    CHECK(homes(*m, "blk.0.attn_q") != homes(*m, "blk.1.attn_q"));
    check_same(outcome_of(m), outcome_of(tiny::arch("llama")));
}

TEST("train/devices: composed rules, recomputation, chunks of the loss and packing on another device") {
    const auto m = tiny::arch_on("qwen3", on({local_rpc::device(0)}));
    training_options options;
    options.step.gradient.rules = rule_mode::composed;
    options.step.recompute = true;
    options.step.loss_budget_bytes = 1;
    check_same(outcome_of(m, options, true), outcome_of(tiny::arch("qwen3"), {}, true));
}

TEST("train/devices: weights placed by name: feed-forward on the CPU, the rest on another device") {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    load_options options = on({local_rpc::device(0)});
    options.placement = {{"blk\\.\\d+\\.ffn_", cpu}};
    const auto m = tiny::arch_on("llama", options);
    CHECK(homes(*m, "attn_q") != homes(*m, "ffn_up"));
    check_same(outcome_of(m), outcome_of(tiny::arch("llama")));
}

TEST("train/devices: every listed architecture with its last layer and its output on another device") {
    std::string wrong;
    for (const std::string & name : architectures::trainable()) {
        try {
            const auto m = tiny::arch_on(name, on({local_rpc::device(0)}, 2));
            training_options options;
            options.targets = find_linear_targets(m, {2, 9, false}).trainable;
            const outcome here = outcome_of(tiny::arch(name), options), there = outcome_of(m, options);
            const double difference = tiny::relative_error(there.gradients, here.gradients);
            if (!(std::fabs(there.loss - here.loss) < 1e-6 * here.loss) || !(difference < 3e-5)) {
                wrong += "\n    " + name + ": losses " + std::to_string(here.loss) + " and " +
                         std::to_string(there.loss) + ", gradients differ by " + std::to_string(difference);
            }
        } catch (const error & e) { wrong += "\n    " + name + ": " + e.code() + ": " + e.what(); }
    }
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, "the CPU's losses and gradients but:" + wrong);
}

TEST("train/devices: the output's device holds no weight, because placement puts all of them on the CPU") {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    load_options options = on({local_rpc::device(0)});
    options.placement = {{".", cpu}};
    check_same(outcome_of(tiny::arch_on("llama", options)), outcome_of(tiny::arch("llama")));
    options.gpu_layers = 1;
    options.placement = {{"^(output|token_embd)", cpu}};
    check_same(outcome_of(tiny::arch_on("llama", options)), outcome_of(tiny::arch("llama")));
}

TEST("train/devices: experts on the CPU, the rest on another device, and the other way round") {
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    for (const char * name : {"llama-moe", "qwen3moe-moe"}) {
        const outcome expected = outcome_of(tiny::arch(name));
        load_options options = on({local_rpc::device(0)});
        options.placement = {{"\\.ffn_(up|down|gate|gate_up)_(ch|)exps", cpu}};
        const auto m = tiny::arch_on(name, options);
        CHECK(homes(*m, "ffn_up_exps") != homes(*m, "attn_q"));
        check_same(outcome_of(m), expected);
        options.placement = {{"\\.ffn_(up|down|gate|gate_up)_(ch|)exps", local_rpc::device(0)}};
        options.gpu_layers = 0;
        check_same(outcome_of(tiny::arch_on(name, options)), expected);
    }
}

TEST("train/devices: every parameter trains on another device too") {
    training_options options;
    options.mode = train_mode::full;
    const auto m = tiny::arch_on("llama", on({local_rpc::device(0)}));
    check_same(outcome_of(m, options), outcome_of(tiny::arch("llama"), options));
}

TEST("train/devices: a GPU, an RPC device and the CPU share the layers") {
    if (test_device::is_cpu()) SKIP("no LLAMATUNE_TEST_DEVICE");
    ggml_backend_dev_t gpu = test_device::device(), cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    for (const char * name : {"llama", "qwen3", "llama-moe"}) {
        const outcome expected = outcome_of(tiny::arch(name));
        const auto check = [&](const load_options & options, const char * what) {
            const outcome received = outcome_of(tiny::arch_on(name, options));
            const double difference = tiny::relative_error(received.gradients, expected.gradients);
            // products on the GPU may round their factors to F16
            if (std::fabs(received.loss - expected.loss) < 2e-3 * expected.loss && difference < 2e-2) return;
            harness::fail(__FILE__, __LINE__,
                          std::string(name) + ", " + what + ": the CPU's loss and gradients but they differ by " +
                              std::to_string(received.loss - expected.loss) + " and " + std::to_string(difference));
        };
        check(on({gpu}), "all layers on the GPU");
        check(on({gpu}, 2), "the last layer and the output on the GPU");
        load_options options = on({gpu, local_rpc::device(0)});
        options.tensor_split = {1, 2};
        check(options, "the GPU, then the server");
        options.devices = {{local_rpc::device(0), gpu}};
        options.placement = {{"ffn_", cpu}};
        check(options, "the server, then the GPU, feed-forward on the CPU");
    }
}

TEST("backends/choose: devices are found by back end, name and server; missing ones are named") {
    const std::vector<ggml_backend_dev_t> remote{local_rpc::device(0), local_rpc::device(1)};
    CHECK(choose_devices("cpu", remote).empty());
    CHECK_EQ(choose_devices("rpc", remote).size(), 2u);
    CHECK(choose_devices(local_rpc::server(1), remote) == std::vector<ggml_backend_dev_t>{remote[1]});
    const std::string both = local_rpc::server(1) + ", " + ggml_backend_dev_name(remote[0]);
    CHECK(choose_devices(both, remote) == (std::vector<ggml_backend_dev_t>{remote[1], remote[0]}));
    CHECK(find_device("CPU", remote) == ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU));
    try {
        choose_devices("warp9,rpc,Zip3,", remote);
        harness::fail(__FILE__, __LINE__, "error DEVICE_NOT_FOUND");
    } catch (const error & e) {
        CHECK_EQ(e.code(), "DEVICE_NOT_FOUND");
        CHECK(std::string(e.what()).find("'warp9', 'Zip3', ''") != std::string::npos);
        CHECK(std::string(e.what()).find(local_rpc::server(0)) != std::string::npos);
    }
}

TEST("model/placement: patterns without a match, devices that were not chosen and splits of another size are refused "
     "together") {
    load_options options = on({local_rpc::device(0)});
    ggml_backend_dev_t cpu = ggml_backend_dev_by_type(GGML_BACKEND_DEVICE_TYPE_CPU);
    options.placement = {{"attn_q", cpu},
                         {"no_such_weight", cpu},
                         {"(", cpu},
                         {"ffn_up", local_rpc::device(1)},
                         {"ffn_down", local_rpc::device(0)}};
    try {
        tiny::arch_on("llama", options);
        harness::fail(__FILE__, __LINE__, "error PLACEMENT_INVALID");
    } catch (const error & e) {
        CHECK_EQ(e.code(), "PLACEMENT_INVALID");
        CHECK(std::string(e.what()).find("no_such_weight") != std::string::npos);
        CHECK(std::string(e.what()).find("'('") != std::string::npos);
        CHECK(std::string(e.what()).find("attn_q") == std::string::npos);
        CHECK(std::string(e.what()).find(
                  "'ffn_up' goes to " + std::string(ggml_backend_dev_name(local_rpc::device(1)))) != std::string::npos);
        CHECK(std::string(e.what()).find("ffn_down") == std::string::npos);
    }
    options.placement.clear();
    options.tensor_split = {1, 1};
    CHECK_ERROR("PLACEMENT_INVALID", tiny::arch_on("llama", options));
}

TEST("model/placement: more devices than ggml's scheduler supports are refused") {
    const std::vector<ggml_backend_dev_t> many(16, local_rpc::device(0)); // the CPU is one more
    CHECK_ERROR("PLACEMENT_INVALID", tiny::arch_on("llama", on(many)));
}

TEST("backends/rpc: servers that do not answer are named, all of them") {
    try {
        connect_rpc_servers({"127.0.0.1:1", local_rpc::server(0), "127.0.0.1:2"});
        harness::fail(__FILE__, __LINE__, "error RPC_UNREACHABLE");
    } catch (const error & e) {
        CHECK_EQ(e.code(), "RPC_UNREACHABLE");
        CHECK(std::string(e.what()).find("127.0.0.1:1 ") != std::string::npos);
        CHECK(std::string(e.what()).find("127.0.0.1:2 ") != std::string::npos);
        CHECK(std::string(e.what()).find(local_rpc::server(0)) == std::string::npos);
    }
}
