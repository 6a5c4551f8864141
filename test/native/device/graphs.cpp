// What a CUDA device gets to run for a training step.

#include "device/step-cost.h"
#include "device/test-device.h"
#include "harness.h"
#include "model-tools/quantize.h"
#include "model/tiny-models.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <algorithm>

using namespace llamatune;
using tiny::training;
using tiny::training_options;

namespace {

void require_cuda() {
    if (!test_device::is_cuda()) SKIP("LLAMATUNE_TEST_DEVICE is not a CUDA device");
}

std::string model_of(const std::string & architecture, const std::string & type) {
    create_options o = tiny::options(architecture, tiny::scratch("graphs-" + architecture + ".gguf"));
    o.embedding_length = 256;
    o.feed_forward_length = 512;
    if (o.experts > 0) o.expert_feed_forward_length = 256;
    o.head_length = 64;
    create_model(o);
    if (type == "F32") return o.path;
    const std::string quantized = tiny::scratch("graphs-" + architecture + "-" + type + ".gguf");
    quantize_model({o.path, quantized, type, 1});
    return quantized;
}

// Calls `check` with the graphs of training on weights of several types, with and without gradient checkpointing.
void for_all_graphs(const std::function<void(const std::string & name, const step_graphs & graphs)> & check) {
    for (const char * architecture : {"llama", "qwen3", "gemma3", "qwen3moe"}) {
        for (const char * type : {"F32", "F16", "BF16", "Q8_0", "Q4_K_M"}) {
            const auto m = test_device::load(model_of(architecture, type));
            for (const bool recompute : {false, true}) {
                training_options options;
                options.precision = "bf16";
                options.step.recompute = recompute;
                const training built(m, tiny_batch(*m, 2, 64), options);
                check(std::string(architecture) + " " + type + (recompute ? ", checkpointed" : ""), built.graphs());
            }
        }
    }
}

int count(ggml_cgraph * graph, const std::function<bool(const ggml_tensor *)> & is) {
    int n = 0;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) n += is(ggml_graph_node(graph, i)) ? 1 : 0;
    return n;
}

}

TEST("device/graphs: the device runs every op of a training step, in one part after the embeddings") {
    require_cuda();
    for_all_graphs([](const std::string & name, const step_graphs & graphs) {
        std::string missing;
        for (const std::string & op : step_cost::ops_on_host(graphs, test_device::device())) missing += " " + op + ";";
        if (!missing.empty())
            harness::fail(__FILE__, __LINE__, name + " without ops on the CPU but received" + missing);
        // llama.cpp keeps the token embeddings on the CPU, which reads them once more to recompute the first layers
        const int most = name.find("checkpointed") == std::string::npos ? 2 : 4;
        if (graphs.trunk_splits > most || graphs.chunk_splits > 1) {
            harness::fail(__FILE__, __LINE__,
                          name + " in at most " + std::to_string(most) + " and 1 parts but received " +
                              std::to_string(graphs.trunk_splits) + " and " + std::to_string(graphs.chunk_splits));
        }
    });
}

TEST("device/graphs: products ask for their precision, and weights are neither transposed nor copied to F32") {
    require_cuda();
    for_all_graphs([](const std::string & name, const step_graphs & graphs) {
        const auto is_product = [](const ggml_tensor * t) {
            return t->op == GGML_OP_MUL_MAT || t->op == GGML_OP_OUT_PROD;
        };
        for (ggml_cgraph * graph : {graphs.trunk, graphs.chunk}) {
            const int rounded = count(
                graph, [&](const ggml_tensor * t) { return is_product(t) && t->op_params[3] == GGML_PREC_UNDEFINED; });
            const int copied = count(graph, [&](const ggml_tensor * t) {
                const ggml_tensor * from = t->src[0];
                while (from && (from->op == GGML_OP_TRANSPOSE || from->op == GGML_OP_VIEW)) from = from->src[0];
                const bool copies = t->op == GGML_OP_CONT || t->op == GGML_OP_CPY || t->op == GGML_OP_DUP;
                return copies && from && from->op == GGML_OP_NONE && ggml_is_matrix(from) &&
                       ggml_nelements(from) >= 1 << 16;
            });
            if (rounded || copied) {
                harness::fail(__FILE__, __LINE__,
                              name + " to ask in every product and copy no weight but received " +
                                  std::to_string(rounded) + " products and " + std::to_string(copied) + " copies");
            }
        }
        CHECK(count(graphs.trunk, [](const ggml_tensor * t) { return t->op == GGML_OP_OUT_PROD; }) > 0);
    });
}
