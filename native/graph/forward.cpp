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

// Finds the product with the output matrix by walking back from the logits; null if there is none.
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

// Does this input only read the batch itself? llama.cpp never reuses such inputs, although it could.
bool is_stateless(const llm_graph_input_i & input) {
    return dynamic_cast<const llm_graph_input_attn_temp *>(&input) ||
           dynamic_cast<const llm_graph_input_attn_no_cache *>(&input) ||
           dynamic_cast<const llm_graph_input_pos_bucket *>(&input);
}

// Stores the mask of a long row in F16, which holds its numbers, 0 and -infinity, exactly: llama.cpp fills it in either
// type. Kernels read a smaller one faster in F32.
void narrow_masks(ggml_cgraph * graph, const llama_hparams & hparams) {
    constexpr size_t least_bytes = 128 << 20;
    if (hparams.use_alibi) return; // the mask then holds distances
    std::vector<ggml_tensor *> masks;
    std::unordered_set<const ggml_tensor *> read_by_others;
    const auto is_large_mask = [](const ggml_tensor * t) {
        return t->op == GGML_OP_NONE && t->type == GGML_TYPE_F32 && (t->flags & GGML_TENSOR_FLAG_INPUT) &&
               !std::strcmp(t->name, "attn_inp_kq_mask") && ggml_nbytes(t) >= least_bytes;
    };
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        ggml_tensor * node = ggml_graph_node(graph, i);
        for (int j = 0; j < GGML_MAX_SRC; j++) {
            if (!node->src[j] || !is_large_mask(node->src[j])) continue;
            if (node->op == GGML_OP_SOFT_MAX && j == 1) {
                masks.push_back(node->src[j]);
            } else {
                read_by_others.insert(node->src[j]);
            }
        }
    }
    for (ggml_tensor * mask : masks) {
        if (mask->type == GGML_TYPE_F16 || read_by_others.count(mask)) continue;
        mask->type = GGML_TYPE_F16;
        for (size_t & stride : mask->nb) stride /= sizeof(float) / sizeof(ggml_fp16_t);
    }
}

// During its lifetime llama.cpp creates tensors for this model without memory. The caller must hold the model's mutex.
struct no_alloc_scope {
    explicit no_alloc_scope(llama_model & m) : model(m), before(m.hparams.no_alloc) { model.hparams.no_alloc = true; }
    ~no_alloc_scope() { model.hparams.no_alloc = before; }
    llama_model & model;
    bool before;
};

}

struct forward::state {
    std::shared_ptr<model> base;
    llama_context_ptr context; // for its parameters only: it holds no cache and no buffers
    llama_cparams cparams;
    llama_memory_ptr memory; // a cache without buffers; it assigns the cells from which the mask is made
    llama_memory_context_ptr batch_memory;
    llama_adapter_cvec control_vectors;
    llama_adapter_loras adapters;
    llama_cross cross;
    std::unique_ptr<llm_graph_result> source; // llama.cpp's graph, whose inputs we fill
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

    void open_context(const batch_shape & shape, const compute & devices);
    void build(const batch_shape & shape);
    void allocate_inputs(input_memory & memory);
    llama_ubatch place(const micro_batch & batch, const batch_shape & shape);
    void check_order(const llama_ubatch & ubatch, const llama_batch & batch) const;
};

namespace {

micro_batch blank_batch(const batch_shape & shape) {
    micro_batch blank;
    blank.tokens.assign(size_t(shape.n_tokens()), 0);
    blank.segment_id.assign(size_t(shape.n_tokens()), 0);
    return blank;
}

}

// Adds the batch to the cache (which has no buffers), so that every token gets its cell.
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
                    "the micro-batch has " + std::to_string(sequence + 1) + " samples (padding counts as one), but " +
                        "llama.cpp can tell only " + std::to_string(max_segments) + " apart",
                    "Lower microBatchSize, or give microBatchTokens instead of microBatchSize and packing.");
    }
    llama_model & m = *base->handle();
    llama_batch_allocr allocator(m.hparams.n_pos_per_embd());
    if (!allocator.init(raw, m.vocab, nullptr, m.hparams.n_embd_inp(), cparams.n_seq_max, true)) {
        throw error("BATCH_INVALID", "llama.cpp refused the micro-batch: " + take_recent_errors(),
                    "The dataset may hold tokens outside of this model's vocabulary.");
    }
    llama_ubatch ubatch{};
    if (memory) {
        memory->clear(false);
        batch_memory =
            memory->init_batch(allocator, uint32_t(n_tokens), false); // true would split recurrent models' rows
        if (!batch_memory || batch_memory->get_status() != LLAMA_MEMORY_STATUS_SUCCESS || !batch_memory->apply()) {
            throw error("BATCH_INVALID", "the micro-batch does not fit llama.cpp's cache: " + take_recent_errors());
        }
        ubatch = batch_memory->get_ubatch();
    } else {
        ubatch = allocator.split_simple(uint32_t(n_tokens));
    }
    check_order(ubatch, raw);
    return ubatch;
}

// Checks that llama.cpp neither splits nor reorders the micro-batch, since targets are flat indices into it.
void forward::state::check_order(const llama_ubatch & ubatch, const llama_batch & batch) const {
    bool same = int32_t(ubatch.n_tokens) == batch.n_tokens;
    for (int32_t i = 0; same && i < batch.n_tokens; i++) {
        same = ubatch.token[i] == batch.token[i] && ubatch.pos[i] == batch.pos[i];
    }
    if (!same) {
        throw error("GRAPH_UNSUPPORTED", "llama.cpp splits or reorders the micro-batch",
                    "Train this architecture with microBatchSize 1 and without packing.");
    }
}

void forward::state::open_context(const batch_shape & shape, const compute & devices) {
    llama_model & m = *base->handle();
    const uint32_t n_tokens = uint32_t(shape.n_tokens());
    {
        const std::lock_guard<std::mutex> lock(base->mutex());
        const no_alloc_scope no_alloc(m);
        llama_context_params params = llama_context_default_params();
        params.n_ctx = 256;
        params.n_batch = params.n_ubatch = 32;
        params.n_seq_max = 1;
        // With flash attention the cache stores V as it is computed, without it transposed and scattered by element.
        params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_ENABLED;
        params.type_k = params.type_v = GGML_TYPE_F32;
        params.swa_full = true;
        params.no_perf = true;
        context.reset(llama_init_from_model(&m, params));
        if (!context) {
            const std::string log = take_recent_errors();
            throw_logged_error(log, "creating a context", "Lower sequenceLength or microBatchSize.");
            throw error("GRAPH_UNSUPPORTED", "llama.cpp could not create a context: " + log);
        }
        cparams = context->get_cparams();
        cparams.n_ctx = n_tokens;
        cparams.n_ctx_seq = shape.packed ? n_tokens : shape.sequence_length;
        cparams.n_seq_max = shape.packed ? max_segments : shape.n_rows;
        cparams.kv_unified = shape.packed;
        cparams.n_batch = cparams.n_ubatch = cparams.n_outputs_max = n_tokens;
        cparams.flash_attn = true; // the cache's layout: llama.cpp turns it off where it has no such kernel
        llama_memory_params cache{};
        cache.type_k = cache.type_v = GGML_TYPE_F32;
        cache.swa_full = true;
        cache.ctx_type = cparams.ctx_type;
        memory.reset(m.create_memory(cache, cparams));
    }
    // These fused kernels have no gradient rule, so llama.cpp is told to compose them from plain ops. The kernel of
    // gated delta nets has a rule; llama.cpp composes it only if a device lacks the kernel.
    cparams.flash_attn = false;
    if (!devices.on_host()) { cparams.fused_gdn_ar = cparams.fused_gdn_ch = false; }
    cparams.fused_lid = false;                                                                   // lightning indexer
    cparams.fused_dsv4_hc_pre = cparams.fused_dsv4_hc_comb = cparams.fused_dsv4_hc_post = false; // hyper-connections
}

// Builds the graph, which is the same for any batch of this shape; inputs are filled later.
void forward::state::build(const batch_shape & shape) {
    llama_model & m = *base->handle();
    const uint32_t n_tokens = uint32_t(shape.n_tokens());
    const llama_ubatch ubatch = place(blank_batch(shape), shape);
    n_segments_of_graph = ubatch.n_seqs_unq;
    source = std::make_unique<llm_graph_result>(context->graph_max_nodes(n_tokens));
    source->reset();
    ggml_cgraph * graph = m.build_graph(parameters(ubatch, n_tokens, *source));
    ggml_tensor * logits = source->get_logits();
    if (!graph || !logits) {
        throw error("GRAPH_UNSUPPORTED", "the model has no logits",
                    "Embedding and encoder models cannot be trained with a language-model loss.");
    }
    ggml_tensor * projection = find_projection(logits, llama_vocab_n_tokens(&m.vocab));
    if (!projection) { throw error("GRAPH_UNSUPPORTED", "the model's logits do not come from an output matrix"); }
    narrow_masks(graph, m.hparams);
    cloner clone(tensors);
    unhook_cache(graph, n_tokens, tensors, clone);
    hidden = clone(projection->src[1]);
    nodes = clone.nodes();
    for (const ggml_tensor * node : nodes) {
        for (const ggml_tensor * read : node->src) {
            if (read && read->op == GGML_OP_NONE && is_cache(read)) {
                throw error("GRAPH_UNSUPPORTED", std::string("the training graph still reads the cache ") + read->name,
                            "This architecture's cache cannot be replaced for training yet.");
            }
        }
    }
}

// Allocates all inputs outside of the scheduler's buffers, since llama.cpp also fills inputs that the graph does not
// read.
void forward::state::allocate_inputs(input_memory & memory) {
    ggml_backend_buffer_type_t type = memory.type();
    std::vector<ggml_tensor *> all;
    std::unordered_set<const ggml_tensor *> used;
    for (const ggml_tensor * node : nodes) used.insert(std::begin(node->src), std::end(node->src));
    const size_t alignment = ggml_backend_buft_get_alignment(type);
    size_t size = 0;
    for (ggml_tensor * t = ggml_get_first_tensor(source->get_ctx()); t;
         t = ggml_get_next_tensor(source->get_ctx(), t)) {
        const bool embedding = t->type == GGML_TYPE_F32 && !used.count(t) && !std::strcmp(t->name, "inp_embd");
        if (t->op == GGML_OP_NONE && (t->flags & GGML_TENSOR_FLAG_INPUT) && !embedding) {
            all.push_back(t);
            size += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
        }
    }
    ggml_backend_buffer_t buffer = memory.reserve(size + alignment);
    char * at = static_cast<char *>(ggml_backend_buffer_get_base(buffer));
    for (ggml_tensor * t : all) {
        ggml_backend_tensor_alloc(buffer, t, at);
        at += GGML_PAD(ggml_backend_buft_get_alloc_size(type, t), alignment);
    }
}

forward::forward(std::shared_ptr<model> base, llama_adapter_lora * adapter, const batch_shape & shape,
                 const compute & devices, uint32_t context_length, std::shared_ptr<input_memory> inputs)
    : state_(std::make_unique<state>()), shape_(shape), devices_(devices), context_length_(context_length),
      inputs_(std::move(inputs)) {
    state & s = *state_;
    s.base = std::move(base);
    if (shape.packed && !can_pack(*s.base)) {
        throw error("PACKING_UNSUPPORTED",
                    std::string("cannot pack samples for ") + llm_arch_name(s.base->handle()->arch) +
                        ": its recurrent state would pass from one sample to the next",
                    "Turn packing off for this model.");
    }
    if (adapter) { s.adapters[adapter] = 1.0f; }
    s.open_context(shape, devices);
    s.cparams.n_ctx_seq = context_length; // get_rope_factors() reads it
    s.build(shape);
    s.allocate_inputs(*inputs_);
}

std::unique_ptr<forward> forward::with_shape(const batch_shape & shape) const {
    llama_adapter_lora * adapter = state_->adapters.empty() ? nullptr : state_->adapters.begin()->first;
    return std::unique_ptr<forward>(new forward(state_->base, adapter, shape, devices_, context_length_, inputs_));
}

forward::~forward() {
    // llama.cpp's destructors read the model's flags
    const std::lock_guard<std::mutex> lock(state_->base->mutex());
    state_->context.reset();
    state_->memory.reset();
}

const std::vector<ggml_tensor *> & forward::nodes() const { return state_->nodes; }
ggml_tensor * forward::hidden() const { return state_->hidden; }

forward::head forward::build_head(tensor_arena & ctx, ggml_tensor * chunk) const {
    state & s = *state_;
    llama_model & m = *s.base->handle();
    const llama_ubatch ubatch = s.place(blank_batch(shape_), shape_);
    // Build the same graph with fewer outputs: its head has the right shapes.
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
            // only weights may be shared: the source graph is deleted on return
            if (leaf && leaf->op == GGML_OP_NONE && leaf != chunk && (leaf->flags & GGML_TENSOR_FLAG_INPUT)) {
                throw error("GRAPH_UNSUPPORTED",
                            std::string("the output head reads ") + leaf->name + ", not hidden states alone");
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
    // Let the inputs see this batch's cells. The number of packed sequences does not change the topology.
    llama_ubatch reused = ubatch;
    reused.n_seqs_unq = s.n_segments_of_graph;
    const llm_graph_params parameters = s.parameters(reused, uint32_t(shape_.n_tokens()), *s.source);
    for (const auto & input : s.source->inputs) {
        if (!input->can_reuse(parameters) && !is_stateless(*input)) {
            throw error("GRAPH_UNSUPPORTED",
                        "llama.cpp builds a different graph for this batch than for the first one of its shape");
        }
    }
    s.source->set_inputs(&ubatch);
}

}
