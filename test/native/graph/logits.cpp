#include "graph/logits.h"

#include "core/graph-builder.h"
#include "graph/forward.h"
#include "graph/graph-memory.h"
#include "harness.h"

#include "llama-cpp.h"
#include "llama.h"

using namespace llamatune;

namespace logits {

std::vector<float> by_decode(const model & m, const micro_batch & batch, const std::string & adapter) {
    llama_context_params params = llama_context_default_params();
    const uint32_t n = batch.shape.n_rows * batch.shape.sequence_length;
    params.n_ctx = params.n_batch = params.n_ubatch = n;
    params.n_seq_max = batch.shape.n_rows;
    params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    params.type_k = params.type_v = GGML_TYPE_F32;
    params.swa_full = true;
    params.n_threads = params.n_threads_batch = 1;
    llama_adapter_lora_ptr lora{adapter.empty() ? nullptr : llama_adapter_lora_init(m.handle(), adapter.c_str())};
    CHECK(adapter.empty() || lora);
    llama_context_ptr ctx{llama_init_from_model(m.handle(), params)};
    CHECK(ctx != nullptr);
    if (lora) {
        llama_adapter_lora * raw = lora.get();
        float scale = 1.0f;
        CHECK_EQ(llama_set_adapters_lora(ctx.get(), &raw, 1, &scale), 0);
    }
    llama_batch raw = llama_batch_init(int32_t(n), 0, 1);
    raw.n_tokens = int32_t(n);
    for (uint32_t i = 0; i < n; i++) {
        raw.token[i] = batch.tokens[i];
        raw.pos[i] = int32_t(i % batch.shape.sequence_length);
        raw.n_seq_id[i] = 1;
        raw.seq_id[i][0] = int32_t(i / batch.shape.sequence_length);
        raw.logits[i] = 1;
    }
    const int status = llama_decode(ctx.get(), raw);
    llama_batch_free(raw);
    CHECK_EQ(status, 0);
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m.handle()));
    std::vector<float> all;
    for (uint32_t i = 0; i < n; i++) {
        const float * row = llama_get_logits_ith(ctx.get(), int32_t(i));
        all.insert(all.end(), row, row + n_vocab);
    }
    return all;
}

std::vector<float> by_training_graph(const std::shared_ptr<model> & m, const micro_batch & batch,
                                     llama_adapter_lora * adapter) {
    compute devices(*m, 1);
    forward graph(m, adapter, batch.shape, devices);
    graph_builder builder;
    const forward::head head = graph.build_head(builder.ctx(), graph.hidden());
    ggml_set_output(head.logits);
    builder.expand(head.logits);
    const shared_graph run(builder.finish(), "the test");
    graph_memory memory(devices);
    memory.reserve(run);
    graph.set_batch(batch);
    memory.run(run);
    std::vector<float> all(size_t(ggml_nelements(head.logits)));
    ggml_backend_tensor_get(head.logits, all.data(), 0, all.size() * sizeof(float));
    return all;
}

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
