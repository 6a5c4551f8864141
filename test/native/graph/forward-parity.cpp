// The training graph is the inference graph: its logits equal llama_decode's, for every architecture that can be trained.

#include "graph/forward.h"
#include "core/error.h"
#include "harness.h"
#include "model/load.h"
#include "tiny-batch.h"

#include "llama.h"

#include <ggml-backend.h>

using namespace llamatune;

namespace {

std::vector<float> decode_logits(const std::shared_ptr<model> & m, const micro_batch & batch) {
    llama_context_params params = llama_context_default_params();
    const uint32_t n = batch.n_rows * batch.sequence_length;
    params.n_ctx = params.n_batch = params.n_ubatch = n;
    params.n_seq_max = batch.n_rows;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.swa_full = true;
    params.n_threads = params.n_threads_batch = 1;
    std::unique_ptr<llama_context, decltype(&llama_free)> ctx(llama_init_from_model(m->handle(), params), llama_free);
    CHECK(ctx != nullptr);
    llama_batch raw = llama_batch_init(int32_t(n), 0, 1);
    raw.n_tokens = int32_t(n);
    for (uint32_t i = 0; i < n; i++) {
        raw.token[i] = batch.tokens[i];
        raw.pos[i] = int32_t(i % batch.sequence_length);
        raw.n_seq_id[i] = 1;
        raw.seq_id[i][0] = int32_t(i / batch.sequence_length);
        raw.logits[i] = 1;
    }
    const int status = llama_decode(ctx.get(), raw);
    llama_batch_free(raw);
    CHECK_EQ(status, 0);
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m->handle()));
    std::vector<float> logits;
    for (uint32_t i = 0; i < n; i++) {
        const float * row = llama_get_logits_ith(ctx.get(), int32_t(i));
        logits.insert(logits.end(), row, row + n_vocab);
    }
    return logits;
}

std::vector<float> training_logits(const std::shared_ptr<model> & m, const micro_batch & batch, bool packed) {
    compute devices(*m, 1);
    forward graph(m, nullptr, { batch.n_rows, batch.sequence_length, packed }, devices);
    const forward::head head = graph.build_head(graph.context(), graph.hidden());
    ggml_cgraph * run = ggml_new_graph_custom(graph.context(), 16384, false);
    ggml_set_output(head.logits);
    ggml_build_forward_expand(run, head.logits);
    const auto scheduler = devices.new_scheduler(32768);
    allocate_graph(scheduler.get(), run, "the test");
    graph.set_batch(batch);
    run_graph(scheduler.get(), run);
    std::vector<float> logits(size_t(ggml_nelements(head.logits)));
    ggml_backend_tensor_get(head.logits, logits.data(), 0, logits.size() * sizeof(float));
    return logits;
}

// normalised mean squared error
double nmse(const std::vector<float> & a, const std::vector<float> & b) {
    CHECK_EQ(a.size(), b.size());
    double error = 0, norm = 0;
    for (size_t i = 0; i < a.size(); i++) {
        error += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
        norm += double(b[i]) * b[i];
    }
    return error / norm;
}

}

TEST("graph: training logits equal llama_decode's, every listed architecture, one and three sequences") {
    const std::vector<std::string> names = harness::trainable_architectures();
    CHECK(names.size() >= 35);
    std::string wrong;
    for (const std::string & name : names) {
        const auto m = model::load({ harness::arch_model(name) });
        for (uint32_t rows : { 1u, 3u }) {
            std::string problem;
            try {
                // 100 is no multiple of the cache's padding
                const micro_batch batch = tiny_batch(*m, rows, 100);
                const double e = nmse(training_logits(m, batch, false), decode_logits(m, batch));
                if (!(e < 1e-9)) problem = "nmse " + std::to_string(e);
            } catch (const llamatune::error & e) {
                problem = e.code() + ": " + e.what();
            }
            if (!problem.empty()) wrong += "\n    " + name + " with " + std::to_string(rows) + " sequences: " + problem;
        }
    }
    if (!wrong.empty()) harness::fail(__FILE__, __LINE__, "equal logits but received" + wrong);
}

TEST("graph: packed samples do not see each other") {
    const auto m = model::load({ harness::arch_model("llama") });
    const micro_batch apart = tiny_batch(*m, 3, 40);
    micro_batch packed = apart; // the same three samples in one row
    packed.n_rows = 1;
    packed.sequence_length = 120;
    for (int i = 0; i < 120; i++) packed.segment_id[i] = i / 40;
    CHECK(nmse(training_logits(m, packed, true), training_logits(m, apart, false)) < 1e-9);
}

TEST("graph: later tokens change nothing before them") {
    const auto m = model::load({ harness::arch_model("llama") });
    const micro_batch before = tiny_batch(*m, 1, 64);
    micro_batch after = before;
    for (int i = 32; i < 64; i++) after.tokens[i] = (after.tokens[i] + 7) % 100;
    auto a = training_logits(m, before, false), b = training_logits(m, after, false);
    const size_t half = a.size() / 2;
    CHECK(std::vector<float>(a.begin(), a.begin() + half) == std::vector<float>(b.begin(), b.begin() + half));
    CHECK(std::vector<float>(a.begin() + half, a.end()) != std::vector<float>(b.begin() + half, b.end()));
}
