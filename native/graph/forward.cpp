#include "graph/forward.h"

#include "core/assertion.h"
#include "core/error.h"
#include "core/log.h"
#include "graph/clone.h"
#include "graph/unhook-cache.h"
#include "model/info.h"

#include "llama-adapter.h"
#include "llama-batch.h"
#include "llama-context.h"
#include "llama-cpp.h"
#include "llama-graph.h"
#include "llama-memory.h"
#include "llama-model.h"

#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <utility>

namespace llamatune {

namespace {

void name_node(const llama_ubatch &, ggml_tensor * node, const char * name, int layer) {
    if (layer >= 0) {
        ggml_format_name(node, "%s-%d", name, layer);
    } else {
        ggml_set_name(node, name);
    }
}

// The product with the output matrix, walking back from the logits; null when there is none.
ggml_tensor * find_projection(ggml_tensor * logits, int64_t n_vocab) {
    std::vector<ggml_tensor *> queue{logits};
    std::unordered_set<ggml_tensor *> seen;
    for (size_t i = 0; i < queue.size(); i++) {
        ggml_tensor * node = queue[i];
        if (node->op == GGML_OP_MUL_MAT && node->src[0]->op == GGML_OP_NONE && node->src[0]->ne[1] == n_vocab) {
            return node;
        }
        for (ggml_tensor * source : node->src) {
            if (source && source->op != GGML_OP_NONE && seen.insert(source).second) { queue.push_back(source); }
        }
    }
    return nullptr;
}

// Inputs that llama.cpp never reuses although they read nothing but the batch itself.
bool is_stateless(const llm_graph_input_i & input) {
    return dynamic_cast<const llm_graph_input_attn_temp *>(&input) ||
           dynamic_cast<const llm_graph_input_attn_no_cache *>(&input) ||
           dynamic_cast<const llm_graph_input_pos_bucket *>(&input);
}

// While one lives, what llama.cpp creates for this model has shapes but no memory. Hold the model's mutex.
struct without_memory {
    explicit without_memory(llama_model & m) : model(m), before(m.hparams.no_alloc) { model.hparams.no_alloc = true; }
    ~without_memory() { model.hparams.no_alloc = before; }
    llama_model & model;
    bool before;
};

}

struct forward::state {
    std::shared_ptr<model> base;
    llama_context_ptr context; // for its parameters only: it holds no cache and no buffers
    llama_cparams cparams;
    llama_memory_ptr memory; // an empty cache: it numbers the cells that the mask is made from
    llama_memory_context_ptr batch_memory;
    llama_adapter_cvec control_vectors;
    llama_adapter_loras adapters;
    llama_cross cross;
    std::unique_ptr<llm_graph_result> source; // llama.cpp's graph, whose inputs we fill
    ggml_backend_buffer_ptr inputs;
    tensor_arena tensors;
    std::vector<ggml_tensor *> nodes;
    ggml_tensor * hidden = nullptr;
    uint32_t n_segments_of_graph = 0;

    llm_graph_params parameters(const llama_ubatch & ubatch, uint32_t n_outputs, llm_graph_result & result) {
        return llm_graph_params{base->handle()->arch,
                                base->handle()->hparams,
                                cparams,
                                ubatch,
                                LLM_GRAPH_TYPE_DEFAULT,
                                context->get_sched(),
                                nullptr,
                                &control_vectors,
                                &adapters,
                                batch_memory.get(),
                                &cross,
                                {},
                                n_outputs,
                                name_node,
                                &result};
    }

    llama_ubatch place(const micro_batch & batch, const batch_shape & shape);
    void check_order(const llama_ubatch & ubatch, const llama_batch & batch) const;
};

// Puts the batch into the (memory-less) cache, which gives every token its cell.
llama_ubatch forward::state::place(const micro_batch & batch, const batch_shape & shape) {
    const int64_t n_tokens = shape.n_tokens();
    llama_batch raw = llama_batch_init(int32_t(n_tokens), 0, 1);
    std::unique_ptr<llama_batch, void (*)(llama_batch *)> guard(&raw, [](llama_batch * b) { llama_batch_free(*b); });
    raw.n_tokens = int32_t(n_tokens);
    int32_t sequence = -1;
    for (uint32_t row = 0; row < shape.n_rows; row++) {
        int32_t position = 0;
        for (uint32_t i = 0; i < shape.sequence_length; i++) {
            const size_t at = size_t(row) * shape.sequence_length + i;
            const bool starts = i == 0 || (shape.packed && batch.segment_id[at] != batch.segment_id[at - 1]);
            if (starts) {
                sequence++;
                position = 0;
            }
            raw.token[at] = batch.tokens[at];
            raw.pos[at] = position++;
            raw.n_seq_id[at] = 1;
            raw.seq_id[at][0] = sequence;
            raw.logits[at] = 1;
        }
    }
    if (sequence >= int32_t(max_segments)) {
        throw error("BATCH_TOO_MANY_SEGMENTS",
                    "expected at most " + std::to_string(max_segments) +
                        " packed samples per micro-batch but received " + std::to_string(sequence + 1),
                    "Lower microBatchSize or sequenceLength, or turn packing off.");
    }
    llama_model & m = *base->handle();
    llama_batch_allocr allocator(m.hparams.n_pos_per_embd());
    if (!allocator.init(raw, m.vocab, nullptr, m.hparams.n_embd_inp(), cparams.n_seq_max, true)) {
        throw error("BATCH_INVALID", "expected a batch that llama.cpp accepts but received: " + take_recent_errors(),
                    "The dataset may hold tokens outside of this model's vocabulary.");
    }
    llama_ubatch ubatch{};
    if (memory) {
        memory->clear(false);
        batch_memory =
            memory->init_batch(allocator, uint32_t(n_tokens), false); // true would split recurrent models' rows
        if (!batch_memory || batch_memory->get_status() != LLAMA_MEMORY_STATUS_SUCCESS || !batch_memory->apply()) {
            throw error("BATCH_INVALID",
                        "expected the micro-batch to fit llama.cpp's cache but it did not: " + take_recent_errors());
        }
        ubatch = batch_memory->get_ubatch();
    } else {
        ubatch = allocator.split_simple(uint32_t(n_tokens));
    }
    check_order(ubatch, raw);
    return ubatch;
}

// Targets are flat indices into the micro-batch: llama.cpp must keep its order and not split it.
void forward::state::check_order(const llama_ubatch & ubatch, const llama_batch & batch) const {
    bool same = int32_t(ubatch.n_tokens) == batch.n_tokens;
    for (int32_t i = 0; same && i < batch.n_tokens; i++) {
        same = ubatch.token[i] == batch.token[i] && ubatch.pos[i] == batch.pos[i];
    }
    if (!same) {
        throw error("GRAPH_UNSUPPORTED", "expected llama.cpp to take the micro-batch whole and in order but it did not",
                    "Train this architecture with microBatchSize 1 and without packing.");
    }
}

forward::forward(std::shared_ptr<model> base, llama_adapter_lora * adapter, const batch_shape & shape,
                 const compute & devices)
    : state_(std::make_unique<state>()), shape_(shape) {
    state & s = *state_;
    s.base = std::move(base);
    llama_model & m = *s.base->handle();
    if (shape.packed && !can_pack(*s.base)) {
        throw error("PACKING_UNSUPPORTED",
                    std::string("expected an architecture whose samples can share a row but received ") +
                        llm_arch_name(m.arch) + ", whose recurrent state would pass from one sample to the next",
                    "Turn packing off for this model.");
    }
    if (adapter) { s.adapters[adapter] = 1.0f; }
    const uint32_t n_tokens = uint32_t(shape.n_tokens());
    {
        const std::lock_guard<std::mutex> lock(s.base->mutex());
        const without_memory no_buffers(m);
        llama_context_params params = llama_context_default_params();
        params.n_ctx = 256;
        params.n_batch = params.n_ubatch = 32;
        params.n_seq_max = 1;
        // With flash attention the cache keeps V as it is computed; without, transposed and scattered by element.
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        params.type_k = params.type_v = GGML_TYPE_F32;
        params.swa_full = true;
        params.no_perf = true;
        s.context.reset(llama_init_from_model(&m, params));
        if (!s.context) {
            const std::string log = take_recent_errors();
            require_rpc_servers(log);
            throw error("GRAPH_UNSUPPORTED",
                        "expected llama.cpp to open a context for training but it did not: " + log);
        }
        s.cparams = s.context->get_cparams();
        s.cparams.n_ctx = n_tokens;
        s.cparams.n_ctx_seq = shape.packed ? n_tokens : shape.sequence_length;
        s.cparams.n_seq_max = shape.packed ? max_segments : shape.n_rows;
        s.cparams.kv_unified = shape.packed;
        s.cparams.n_batch = s.cparams.n_ubatch = s.cparams.n_outputs_max = n_tokens;
        s.cparams.flash_attn =
            true; // of the cache's layout: where llama.cpp has no such kernel, it had turned this off
        llama_memory_params memory{};
        memory.type_k = memory.type_v = GGML_TYPE_F32;
        memory.swa_full = true;
        memory.ctx_type = s.cparams.ctx_type;
        s.memory.reset(m.create_memory(memory, s.cparams));
    }
    // From plain operations: these fused kernels have no gradient. That of gated delta nets has one; where llama.cpp
    // found that a device lacks it, it is composed as well.
    s.cparams.flash_attn = false;
    if (!devices.on_host()) { s.cparams.fused_gdn_ar = s.cparams.fused_gdn_ch = false; }
    s.cparams.fused_lid = false; // lightning indexer
    s.cparams.fused_dsv4_hc_pre = s.cparams.fused_dsv4_hc_comb = s.cparams.fused_dsv4_hc_post =
        false; // hyper-connections

    // Any batch of this shape gives the same graph; inputs are filled later.
    micro_batch blank;
    blank.tokens.assign(n_tokens, 0);
    blank.segment_id.assign(n_tokens, 0);
    const llama_ubatch ubatch = s.place(blank, shape);
    s.n_segments_of_graph = ubatch.n_seqs_unq;

    const uint32_t max_nodes = s.context->graph_max_nodes(n_tokens);
    s.source = std::make_unique<llm_graph_result>(max_nodes);
    s.source->reset();
    ggml_cgraph * graph = m.build_graph(s.parameters(ubatch, n_tokens, *s.source));
    ggml_tensor * logits = s.source->get_logits();
    if (!graph || !logits) {
        throw error("GRAPH_UNSUPPORTED", "expected a model that gives logits but received one that does not",
                    "Embedding and encoder models cannot be trained with a language-model loss.");
    }
    ggml_tensor * projection = find_projection(logits, llama_vocab_n_tokens(&m.vocab));
    if (!projection) {
        throw error("GRAPH_UNSUPPORTED", "expected the logits to come from an output matrix but found none");
    }
    cloner clone(s.tensors);
    unhook_cache(graph, n_tokens, s.tensors, clone);
    s.hidden = clone(projection->src[1]);
    s.nodes = clone.nodes();
    for (const ggml_tensor * node : s.nodes) {
        for (const ggml_tensor * source : node->src) {
            if (source && source->op == GGML_OP_NONE && is_cache(source)) {
                throw error("GRAPH_UNSUPPORTED",
                            std::string("expected a graph that reads no cache but received one that reads ") +
                                source->name,
                            "This architecture's cache cannot be unhooked yet.");
            }
        }
    }

    // The inputs live outside of the scheduler's buffers, all of them: llama.cpp fills also those we do not read.
    std::vector<ggml_tensor *> inputs;
    std::unordered_set<const ggml_tensor *> used;
    for (const ggml_tensor * node : s.nodes) used.insert(std::begin(node->src), std::end(node->src));
    ggml_backend_buffer_type_t type = devices.host_buffer_type();
    const size_t alignment = ggml_backend_buft_get_alignment(type);
    size_t size = 0;
    for (ggml_tensor * t = ggml_get_first_tensor(s.source->get_ctx()); t;
         t = ggml_get_next_tensor(s.source->get_ctx(), t)) {
        const bool embedding = t->type == GGML_TYPE_F32 && !used.count(t) && !std::strcmp(t->name, "inp_embd");
        if (t->op == GGML_OP_NONE && (t->flags & GGML_TENSOR_FLAG_INPUT) && !embedding) {
            inputs.push_back(t);
            size += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
        }
    }
    s.inputs.reset(ggml_backend_buft_alloc_buffer(type, size + alignment));
    if (!s.inputs) {
        throw error("OUT_OF_MEMORY", "expected " + std::to_string(size) + " bytes for the inputs but received none",
                    "Lower sequenceLength or microBatchSize.");
    }
    char * at = static_cast<char *>(ggml_backend_buffer_get_base(s.inputs.get()));
    for (ggml_tensor * t : inputs) {
        ggml_backend_tensor_alloc(s.inputs.get(), t, at);
        at += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
    }
}

forward::~forward() {
    // llama.cpp's destructors look at the model's flags
    const std::lock_guard<std::mutex> lock(state_->base->mutex());
    state_->context.reset();
    state_->memory.reset();
}

const std::vector<ggml_tensor *> & forward::nodes() const { return state_->nodes; }
ggml_tensor * forward::hidden() const { return state_->hidden; }

forward::head forward::build_head(tensor_arena & ctx, ggml_tensor * chunk) const {
    state & s = *state_;
    llama_model & m = *s.base->handle();
    micro_batch blank;
    blank.tokens.assign(size_t(shape_.n_tokens()), 0);
    blank.segment_id.assign(size_t(shape_.n_tokens()), 0);
    const llama_ubatch ubatch = s.place(blank, shape_);
    // The same graph for fewer outputs has the head in the right shapes.
    llm_graph_result source(s.source->get_max_nodes());
    source.reset();
    m.build_graph(s.parameters(ubatch, uint32_t(chunk->ne[1]), source));
    ggml_tensor * logits = source.get_logits();
    ggml_tensor * projection = find_projection(logits, llama_vocab_n_tokens(&m.vocab));
    cloner clone(ctx);
    clone.replace(projection->src[1], chunk);
    head result;
    result.logits = clone(logits);
    result.nodes = clone.nodes();
    for (const ggml_tensor * node : result.nodes) {
        for (const ggml_tensor * leaf : node->src) {
            // only weights may come from outside: the source graph is about to go
            if (leaf && leaf->op == GGML_OP_NONE && leaf != chunk && (leaf->flags & GGML_TENSOR_FLAG_INPUT)) {
                throw error("GRAPH_UNSUPPORTED",
                            std::string("expected the output head to need hidden states only but it reads ") +
                                leaf->name);
            }
        }
    }
    return result;
}

std::vector<ggml_tensor *> forward::weights() const {
    tensor_arena ctx;
    const head end = build_head(ctx, ggml_new_tensor_2d(ctx, GGML_TYPE_F32, state_->hidden->ne[0], 1));
    std::unordered_set<const ggml_tensor *> read;
    for (const std::vector<ggml_tensor *> * nodes : {&std::as_const(state_->nodes), &end.nodes}) {
        for (const ggml_tensor * node : *nodes) read.insert(std::begin(node->src), std::end(node->src));
    }
    std::vector<ggml_tensor *> found;
    for (const auto & [name, weight] : state_->base->handle()->tensors_by_name) {
        if (read.erase(weight)) found.push_back(weight);
    }
    return found;
}

void forward::set_batch(const micro_batch & batch) {
    state & s = *state_;
    const llama_ubatch ubatch = s.place(batch, shape_);
    // Lets the inputs see this batch's cells. How many sequences a packed batch holds changes no topology.
    llama_ubatch like = ubatch;
    like.n_seqs_unq = s.n_segments_of_graph;
    const llm_graph_params parameters = s.parameters(like, uint32_t(shape_.n_tokens()), *s.source);
    for (const auto & input : s.source->inputs) {
        if (!input->can_reuse(parameters) && !is_stateless(*input)) {
            throw error("GRAPH_UNSUPPORTED",
                        "expected every batch of one shape to give the same graph but llama.cpp would build another");
        }
    }
    s.source->set_inputs(&ubatch);
}

}
