#include "model-tools/recipe.h"

#include "core/error.h"
#include "core/join.h"

#include <algorithm>

namespace llamatune {

namespace {

enum class extent { none, embedding, feed_forward, vocabulary, query, key_value, head, expert_feed_forward, experts };

struct recipe_row {
    const char * name; // without "blk.N." and ".weight"
    extent row_length;
    extent n_rows;
    weight_init init;
    extent n_matrices = extent::none; // `experts`: one per expert
};

// [row_length, n_rows] is ggml's order: a row is multiplied with one activation vector.
const recipe_row attention_block[] = {
    {"attn_norm", extent::embedding, extent::none, weight_init::ones},
    {"attn_q", extent::embedding, extent::query, weight_init::normal},
    {"attn_k", extent::embedding, extent::key_value, weight_init::normal},
    {"attn_v", extent::embedding, extent::key_value, weight_init::normal},
    {"attn_output", extent::query, extent::embedding, weight_init::residual},
    {"ffn_norm", extent::embedding, extent::none, weight_init::ones},
};

const recipe_row feed_forward_block[] = {
    {"ffn_gate", extent::embedding, extent::feed_forward, weight_init::normal},
    {"ffn_up", extent::embedding, extent::feed_forward, weight_init::normal},
    {"ffn_down", extent::feed_forward, extent::embedding, weight_init::residual},
};

// The router (ffn_gate_inp) selects the experts of each token.
const recipe_row expert_block[] = {
    {"ffn_gate_inp", extent::embedding, extent::experts, weight_init::normal},
    {"ffn_gate_exps", extent::embedding, extent::expert_feed_forward, weight_init::normal, extent::experts},
    {"ffn_up_exps", extent::embedding, extent::expert_feed_forward, weight_init::normal, extent::experts},
    {"ffn_down_exps", extent::expert_feed_forward, extent::embedding, weight_init::residual, extent::experts},
};

// qwen3's additions to llama: queries and keys are normalised per head.
const recipe_row qwen3_layer[] = {
    {"attn_q_norm", extent::head, extent::none, weight_init::ones},
    {"attn_k_norm", extent::head, extent::none, weight_init::ones},
};

// gemma3's additions to qwen3: the results of attention and feed-forward are normalised too.
const recipe_row gemma3_layer[] = {
    {"post_attention_norm", extent::embedding, extent::none, weight_init::ones},
    {"post_ffw_norm", extent::embedding, extent::none, weight_init::ones},
};

struct row_list {
    const recipe_row * rows;
    size_t n;
};

struct architecture_recipe {
    const char * name;
    float norm_epsilon;
    std::vector<row_list> layer;
    int64_t sliding_window = 0; // in tokens, of most layers; 0: none
    bool experts = false;
};

template <size_t N>
row_list rows_of(const recipe_row (&rows)[N]) {
    return {rows, N};
}

const std::vector<architecture_recipe> & architectures() {
    static const std::vector<architecture_recipe> all = {
        {"llama", 1e-5f, {rows_of(attention_block), rows_of(feed_forward_block)}},
        {"qwen3", 1e-6f, {rows_of(attention_block), rows_of(feed_forward_block), rows_of(qwen3_layer)}},
        {"gemma3",
         1e-6f,
         {rows_of(attention_block), rows_of(feed_forward_block), rows_of(qwen3_layer), rows_of(gemma3_layer)},
         512},
        {"qwen3moe", 1e-6f, {rows_of(attention_block), rows_of(expert_block), rows_of(qwen3_layer)}, 0, true},
    };
    return all;
}

const architecture_recipe & find_architecture(const std::string & name) {
    std::string known;
    for (const auto & architecture : architectures()) {
        if (name == architecture.name) return architecture;
        append_to(known, architecture.name);
    }
    throw error("UNSUPPORTED_ARCHITECTURE", "cannot create a model of architecture '" + name + "'",
                "use one of " + known);
}

int64_t length_of(extent e, const create_options & o, int64_t n_vocab) {
    switch (e) {
    case extent::none: return 0;
    case extent::embedding: return o.embedding_length;
    case extent::feed_forward: return o.feed_forward_length;
    case extent::vocabulary: return n_vocab;
    case extent::query: return o.heads * o.head_length;
    case extent::key_value: return o.kv_heads * o.head_length;
    case extent::head: return o.head_length;
    case extent::expert_feed_forward: return o.expert_feed_forward_length;
    case extent::experts: return o.experts;
    }
    return 0;
}

}

void check_architecture(const std::string & architecture) { find_architecture(architecture); }

bool has_experts(const std::string & architecture) { return find_architecture(architecture).experts; }

std::vector<weight_recipe> list_recipes(const create_options & o, int64_t n_vocab) {
    std::vector<weight_recipe> recipes;
    recipes.push_back({"token_embd.weight", o.embedding_length, n_vocab, 1, weight_init::normal, -1, true});
    recipes.push_back({"output_norm.weight", o.embedding_length, 0, 1, weight_init::ones, -1, false});
    if (!o.tie_embeddings)
        recipes.push_back({"output.weight", o.embedding_length, n_vocab, 1, weight_init::normal, -1, true});
    for (int64_t layer = 0; layer < o.layers; layer++) {
        for (const row_list & list : find_architecture(o.architecture).layer) {
            for (size_t i = 0; i < list.n; i++) {
                const recipe_row & row = list.rows[i];
                recipes.push_back({"blk." + std::to_string(layer) + "." + row.name + ".weight",
                                   length_of(row.row_length, o, n_vocab), length_of(row.n_rows, o, n_vocab),
                                   std::max<int64_t>(1, length_of(row.n_matrices, o, n_vocab)), row.init, layer,
                                   false});
            }
        }
    }
    return recipes;
}

void write_hyperparameters(gguf_writer & writer, const create_options & o) {
    const auto key = [&](const char * suffix) { return o.architecture + "." + suffix; };
    const auto set = [&](const char * suffix, int64_t value) { writer.set(key(suffix), uint32_t(value)); };
    set("context_length", o.context_length);
    set("embedding_length", o.embedding_length);
    set("block_count", o.layers);
    set("feed_forward_length", o.feed_forward_length);
    set("attention.head_count", o.heads);
    set("attention.head_count_kv", o.kv_heads);
    set("attention.key_length", o.head_length);
    set("attention.value_length", o.head_length);
    set("rope.dimension_count", o.head_length);
    writer.set(key("rope.freq_base"), o.rope_frequency_base);
    const architecture_recipe & architecture = find_architecture(o.architecture);
    writer.set(key("attention.layer_norm_rms_epsilon"), architecture.norm_epsilon);
    if (architecture.sliding_window > 0) set("attention.sliding_window", architecture.sliding_window);
    if (architecture.experts) {
        set("expert_count", o.experts);
        set("expert_used_count", o.used_experts);
        set("expert_feed_forward_length", o.expert_feed_forward_length);
    }
}

}
