#include "model-tools/create.h"

#include "core/atomic-file.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/rng.h"
#include "core/thread-pool.h"
#include "gguf/gguf-file.h"
#include "model-tools/recipe.h"
#include "model/weight-type.h"

#include <algorithm>
#include <cmath>
#include <cstring>

namespace llamatune {

namespace {

constexpr int64_t chunk_elements = 1 << 18; // of a matrix: one generator stream and one unit of work each

// Only sizes that would overflow: the rules for options are in src/config/create-model.ts.
void check_sizes(const create_options & o) {
    const bool experts = has_experts(o.architecture);
    for (int64_t size :
         {o.context_length, o.embedding_length, o.layers, o.heads, o.kv_heads, o.head_length, o.feed_forward_length,
          experts ? o.experts : 1, experts ? o.used_experts : 1, experts ? o.expert_feed_forward_length : 1}) {
        if (size < 1 || size > INT32_MAX) {
            throw error("ARGUMENT_INVALID", "expected sizes of a model from 1 to " + std::to_string(INT32_MAX) +
                                                " but received " + std::to_string(size));
        }
    }
}

void set_strings(gguf_context * gguf, const char * key, const std::vector<std::string> & values) {
    std::vector<const char *> pointers;
    for (const auto & value : values) pointers.push_back(value.c_str());
    gguf_set_arr_str(gguf, key, pointers.data(), pointers.size());
}

void copy_tokenizer(gguf_context * gguf, const std::string & path) {
    const gguf_context_ptr source = open_gguf(path);
    gguf_set_kv(gguf, source.get());
    std::vector<std::string> others;
    for (int64_t i = 0; i < gguf_get_n_kv(gguf); i++) {
        const std::string key = gguf_get_key(gguf, i);
        if (key.rfind("tokenizer.", 0) != 0) others.push_back(key);
    }
    for (const auto & key : others) gguf_remove_key(gguf, key.c_str());
}

void write_tokenizer(gguf_context * gguf, const vocabulary_options & v) {
    gguf_set_val_str(gguf, "tokenizer.ggml.model", "gpt2");
    gguf_set_val_str(gguf, "tokenizer.ggml.pre", v.pre.c_str());
    set_strings(gguf, "tokenizer.ggml.tokens", v.tokens);
    gguf_set_arr_data(gguf, "tokenizer.ggml.token_type", GGUF_TYPE_INT32, v.token_types.data(), v.token_types.size());
    set_strings(gguf, "tokenizer.ggml.merges", v.merges);
    // Without this key llama.cpp takes token 11 for BOS, which would be any piece of text.
    gguf_set_val_u32(gguf, "tokenizer.ggml.bos_token_id", uint32_t(v.bos_token.value_or(v.eos_token)));
    gguf_set_val_u32(gguf, "tokenizer.ggml.eos_token_id", uint32_t(v.eos_token));
    if (v.pad_token) gguf_set_val_u32(gguf, "tokenizer.ggml.padding_token_id", uint32_t(*v.pad_token));
    gguf_set_val_bool(gguf, "tokenizer.ggml.add_bos_token", v.add_bos);
}

int64_t vocabulary_size(const gguf_context * gguf, const std::string & from) {
    const int64_t id = gguf_find_key(gguf, "tokenizer.ggml.tokens");
    const int64_t n = id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_ARRAY ? int64_t(gguf_get_arr_n(gguf, id)) : 0;
    if (n == 0)
        throw error("NO_TOKENIZER", "expected '" + from + "' to hold a vocabulary but it has no tokenizer.ggml.tokens");
    return n;
}

ggml_type stored_type(const weight_recipe & w, const weight_type & type, int64_t n_layers) {
    if (w.n_rows == 0) return GGML_TYPE_F32;
    if (w.name.find(".ffn_gate_inp.") != std::string::npos) return GGML_TYPE_F32; // a router: as llama.cpp's quantize
    ggml_type wanted = type.base;
    const bool wants_bits =
        w.name.find(".attn_v.") != std::string::npos || w.name.find(".ffn_down") != std::string::npos;
    if (w.ends)
        wanted = type.ends;
    else if (wants_bits && is_fine_layer(w.layer, n_layers))
        wanted = type.finer;
    return fitting_type(wanted, w.row_length);
}

uint64_t hash_name(const std::string & name) { // FNV-1a
    uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : name) hash = (hash ^ uint8_t(c)) * 0x100000001b3ull;
    return hash;
}

// Rows [first, first + n_rows) of a matrix in its stored type. Each chunk has a generator of its own: the bytes do not
// depend on the number of threads.
void make_rows(const weight_recipe & w, ggml_type type, float std_dev, uint64_t seed, int64_t chunk, int64_t n_rows,
               char * out) {
    rng numbers(seed, hash_name(w.name) + uint64_t(chunk));
    std::vector<float> values(size_t(n_rows * w.row_length));
    numbers.fill_normal(values.data(), values.size(), std_dev);
    ggml_quantize_chunk(type, values.data(), out, 0, n_rows, w.row_length, nullptr);
}

class matrix_writer {
public:
    matrix_writer(atomic_file & file, const create_options & options, const std::atomic<bool> * stop)
        : file_(file), options_(options), stop_(stop),
          threads_(options.n_threads > 0 ? options.n_threads : usable_physical_cores()) {}

    void write(const weight_recipe & w, ggml_type type) {
        if (w.init == weight_init::ones) {
            const std::vector<float> ones(size_t(w.row_length * std::max<int64_t>(1, w.n_rows)), 1.0f);
            file_.write(ones.data(), ones.size() * sizeof(float));
            return;
        }
        const float std_dev = w.init == weight_init::residual
                                  ? options_.init_std / std::sqrt(2.0f * float(options_.layers))
                                  : options_.init_std;
        const int64_t rows_per_chunk = std::max<int64_t>(1, chunk_elements / w.row_length);
        const int64_t n_rows = w.n_rows * w.n_matrices;
        const int64_t n_chunks = (n_rows + rows_per_chunk - 1) / rows_per_chunk;
        const size_t row_bytes = ggml_row_size(type, w.row_length);
        const int64_t round = int64_t(threads_.size()) * 8; // chunks in memory at a time
        buffer_.resize(size_t(std::min(round, n_chunks) * rows_per_chunk) * row_bytes);

        for (int64_t first = 0; first < n_chunks; first += round) {
            if (stop_ && *stop_) throw error("ABORTED", "creating '" + options_.path + "' was aborted");
            const int64_t last = std::min(first + round, n_chunks);
            const int64_t last_row = std::min(last * rows_per_chunk, n_rows);
            threads_.run(last - first, [&](int64_t i, int) {
                const int64_t row = (first + i) * rows_per_chunk;
                make_rows(w, type, std_dev, options_.seed, first + i, std::min(rows_per_chunk, n_rows - row),
                          buffer_.data() + size_t(row - first * rows_per_chunk) * row_bytes);
            });
            file_.write(buffer_.data(), size_t(last_row - first * rows_per_chunk) * row_bytes);
        }
    }

private:
    atomic_file & file_;
    const create_options & options_;
    const std::atomic<bool> * stop_;
    thread_pool threads_;
    std::vector<char> buffer_;
};

}

void create_model(const create_options & options, const std::atomic<bool> * stop) {
    check_architecture(options.architecture);
    check_sizes(options);
    require_output_apart_from(options.path, {options.vocabulary.from.value_or("")});
    const weight_type type = parse_weight_type(options.type);

    const gguf_context_ptr gguf(gguf_init_empty());
    if (options.vocabulary.from)
        copy_tokenizer(gguf.get(), *options.vocabulary.from);
    else
        write_tokenizer(gguf.get(), options.vocabulary);
    const int64_t n_vocab = vocabulary_size(gguf.get(), options.vocabulary.from.value_or(options.path));
    if (!options.chat_template.empty())
        gguf_set_val_str(gguf.get(), "tokenizer.chat_template", options.chat_template.c_str());

    gguf_set_val_str(gguf.get(), "general.architecture", options.architecture.c_str());
    gguf_set_val_str(gguf.get(), "general.type", "model");
    if (!options.name.empty()) gguf_set_val_str(gguf.get(), "general.name", options.name.c_str());
    gguf_set_val_u32(gguf.get(), "general.quantization_version", GGML_QNT_VERSION);
    if (type.file_type >= 0) gguf_set_val_u32(gguf.get(), "general.file_type", uint32_t(type.file_type));
    write_hyperparameters(gguf.get(), options);
    gguf_set_val_u32(gguf.get(), (options.architecture + ".vocab_size").c_str(), uint32_t(n_vocab));

    const std::vector<weight_recipe> recipes = list_recipes(options, n_vocab);
    const ggml_context_ptr shapes(ggml_init({recipes.size() * ggml_tensor_overhead(), nullptr, true}));
    std::vector<ggml_type> types;
    for (const weight_recipe & w : recipes) {
        types.push_back(stored_type(w, type, options.layers));
        const int64_t ne[] = {w.row_length, w.n_rows, w.n_matrices};
        const int n_dims = w.n_rows == 0 ? 1 : w.n_matrices == 1 ? 2 : 3;
        ggml_tensor * tensor = ggml_new_tensor(shapes.get(), types.back(), n_dims, ne);
        ggml_set_name(tensor, w.name.c_str());
        gguf_add_tensor(gguf.get(), tensor);
    }

    atomic_file file(options.path);
    std::vector<char> header(gguf_get_meta_size(gguf.get()));
    gguf_get_meta_data(gguf.get(), header.data());
    file.write(header.data(), header.size());
    matrix_writer writer(file, options, stop);
    const size_t alignment = gguf_get_alignment(gguf.get());
    for (size_t i = 0; i < recipes.size(); i++) {
        writer.write(recipes[i], types[i]);
        file.write_zeros(size_t(GGML_PAD(file.position(), alignment) - file.position()));
    }
    file.commit();
}

}
