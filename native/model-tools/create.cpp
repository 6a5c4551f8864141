#include "model-tools/create.h"

#include "core/atomic-file.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/hash.h"
#include "core/rng.h"
#include "core/thread-pool.h"
#include "gguf/writer.h"
#include "model-tools/recipe.h"
#include "model/weight-type.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

namespace llamatune {

namespace {

constexpr int64_t chunk_elements = 1 << 18;  // a chunk of a matrix has its own generator stream and is one unit of work
constexpr int64_t sample_elements = 1 << 16; // in the sample that blocks are drawn from; a multiple of every block

// Rejects sizes that would overflow. src/config/create-model.ts has the other rules for options.
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

void write_tokenizer(gguf_writer & writer, const vocabulary_options & v) {
    writer.set("tokenizer.ggml.model", "gpt2");
    writer.set("tokenizer.ggml.pre", v.pre);
    writer.set("tokenizer.ggml.tokens", v.tokens);
    writer.set("tokenizer.ggml.token_type", v.token_types);
    writer.set("tokenizer.ggml.merges", v.merges);
    // Without this key llama.cpp uses token 11 as BOS, which would be an arbitrary piece of text.
    writer.set("tokenizer.ggml.bos_token_id", uint32_t(v.bos_token.value_or(v.eos_token)));
    writer.set("tokenizer.ggml.eos_token_id", uint32_t(v.eos_token));
    if (v.pad_token) writer.set("tokenizer.ggml.padding_token_id", uint32_t(*v.pad_token));
    writer.set("tokenizer.ggml.add_bos_token", v.add_bos);
}

int64_t vocabulary_size(const gguf_context * gguf, const std::string & from) {
    const int64_t id = gguf_find_key(gguf, "tokenizer.ggml.tokens");
    const int64_t n = id >= 0 && gguf_get_kv_type(gguf, id) == GGUF_TYPE_ARRAY ? int64_t(gguf_get_arr_n(gguf, id)) : 0;
    if (n == 0) throw error("NO_TOKENIZER", "'" + from + "' has no vocabulary (tokenizer.ggml.tokens)");
    return n;
}

ggml_type stored_type(const weight_recipe & w, const weight_type & type, int64_t n_layers) {
    if (w.n_rows == 0) return GGML_TYPE_F32;
    if (w.name.find(".ffn_gate_inp.") != std::string::npos)
        return GGML_TYPE_F32; // routers stay F32, as in llama.cpp's quantize
    ggml_type wanted = type.base;
    const bool is_sensitive = // gets a finer type in some layers of a mix
        w.name.find(".attn_v.") != std::string::npos || w.name.find(".ffn_down") != std::string::npos;
    if (w.is_embedding)
        wanted = type.embedding;
    else if (is_sensitive && is_fine_layer(w.layer, n_layers))
        wanted = type.finer;
    return fitting_type(wanted, w.row_length);
}

// Makes one chunk of rows of a matrix in its stored type. Each chunk has its own generator, so that the bytes do not
// depend on the number of threads.
void make_rows(const weight_recipe & w, ggml_type type, float std_dev, uint64_t seed, int64_t chunk, int64_t n_rows,
               char * out) {
    rng numbers(seed, hash_text(w.name) + uint64_t(chunk));
    std::vector<float> values(size_t(n_rows * w.row_length));
    numbers.fill_normal(values.data(), values.size(), std_dev);
    ggml_quantize_chunk(type, values.data(), out, 0, n_rows, w.row_length, nullptr);
}

// Blocks of one type that matrices are drawn from.
std::vector<char> make_sample(ggml_type type, float std_dev, uint64_t seed) {
    rng numbers(seed, hash_text(ggml_type_name(type)));
    std::vector<float> values(sample_elements);
    numbers.fill_normal(values.data(), values.size(), std_dev);
    std::vector<char> sample(ggml_row_size(type, sample_elements));
    ggml_quantize_chunk(type, values.data(), sample.data(), 0, 1, sample_elements, nullptr);
    return sample;
}

// Fills a chunk of rows with pieces of the sample. A piece is as long as fits into every row, up to 256 elements.
void draw_rows(const weight_recipe & w, ggml_type type, const std::vector<char> & sample, uint64_t seed, int64_t chunk,
               int64_t n_rows, char * out) {
    constexpr int64_t longest = 256;
    const int64_t elements = w.row_length % longest == 0 ? longest : ggml_blck_size(type);
    const size_t bytes = ggml_row_size(type, elements);
    rng numbers(seed, hash_text(w.name) + uint64_t(chunk));
    for (int64_t i = 0; i < n_rows * w.row_length / elements; i++) {
        std::memcpy(out + size_t(i) * bytes,
                    sample.data() + numbers.below(sample_elements / uint64_t(elements)) * bytes, bytes);
    }
}

// Generates the values of a weight, some chunks at a time.
class weight_generator {
public:
    weight_generator(const create_options & options, const std::atomic<bool> * stop)
        : options_(options), stop_(stop),
          threads_(options.n_threads > 0 ? options.n_threads : usable_physical_cores()) {}

    void make(const weight_recipe & w, ggml_type type, const byte_sink & sink) {
        if (w.init == weight_init::ones) {
            const std::vector<float> ones(size_t(w.row_length * std::max<int64_t>(1, w.n_rows)), 1.0f);
            return sink(ones.data(), ones.size() * sizeof(float));
        }
        const float std_dev = w.init == weight_init::residual
                                  ? options_.init_std / std::sqrt(2.0f * float(options_.layers))
                                  : options_.init_std;
        const std::vector<char> * sample = options_.sampled_blocks ? &sample_of(type, std_dev) : nullptr;
        const int64_t rows_per_chunk = std::max<int64_t>(1, chunk_elements / w.row_length);
        const int64_t n_rows = w.n_rows * w.n_matrices;
        const int64_t n_chunks = (n_rows + rows_per_chunk - 1) / rows_per_chunk;
        const size_t row_bytes = ggml_row_size(type, w.row_length);
        const int64_t max_chunks = int64_t(threads_.size()) * 8; // in memory at a time
        buffer_.resize(size_t(std::min(max_chunks, n_chunks) * rows_per_chunk) * row_bytes);

        for (int64_t first = 0; first < n_chunks; first += max_chunks) {
            if (stop_ && *stop_) throw error("ABORTED", "creating '" + options_.path + "' was aborted");
            const int64_t last = std::min(first + max_chunks, n_chunks);
            const int64_t last_row = std::min(last * rows_per_chunk, n_rows);
            threads_.run(last - first, [&](int64_t i, int) {
                const int64_t row = (first + i) * rows_per_chunk, count = std::min(rows_per_chunk, n_rows - row);
                char * out = buffer_.data() + size_t(row - first * rows_per_chunk) * row_bytes;
                if (sample)
                    draw_rows(w, type, *sample, options_.seed, first + i, count, out);
                else
                    make_rows(w, type, std_dev, options_.seed, first + i, count, out);
            });
            sink(buffer_.data(), size_t(last_row - first * rows_per_chunk) * row_bytes);
        }
    }

private:
    const std::vector<char> & sample_of(ggml_type type, float std_dev) {
        std::vector<char> & sample = samples_[{type, std_dev}];
        if (sample.empty()) sample = make_sample(type, std_dev, options_.seed);
        return sample;
    }

    const create_options & options_;
    const std::atomic<bool> * stop_;
    thread_pool threads_;
    std::vector<char> buffer_;
    std::map<std::pair<ggml_type, float>, std::vector<char>> samples_;
};

}

vocabulary_options numbered_vocabulary(int64_t size) {
    vocabulary_options v;
    for (int64_t i = 0; i < size; i++) v.tokens.push_back("t" + std::to_string(i));
    v.token_types.assign(v.tokens.size(), 1);
    v.merges = {"t 0"}; // llama.cpp requires at least one
    return v;
}

void create_model(const create_options & options, const std::atomic<bool> * stop) {
    check_architecture(options.architecture);
    check_sizes(options);
    require_distinct_output(options.path, {options.vocabulary.from.value_or("")});
    const weight_type type = parse_weight_type(options.type);

    gguf_writer writer;
    if (options.vocabulary.from)
        writer.copy_metadata(gguf_reader(*options.vocabulary.from), "tokenizer.");
    else
        write_tokenizer(writer, options.vocabulary);
    const int64_t n_vocab = vocabulary_size(writer.metadata(), options.vocabulary.from.value_or(options.path));
    if (!options.chat_template.empty()) writer.set("tokenizer.chat_template", options.chat_template);

    writer.set("general.architecture", options.architecture);
    writer.set("general.type", "model");
    if (!options.name.empty()) writer.set("general.name", options.name);
    writer.set("general.quantization_version", uint32_t(GGML_QNT_VERSION));
    if (type.file_type >= 0) writer.set("general.file_type", uint32_t(type.file_type));
    write_hyperparameters(writer, options);
    writer.set(options.architecture + ".vocab_size", uint32_t(n_vocab));

    weight_generator generator(options, stop);
    for (const weight_recipe & w : list_recipes(options, n_vocab)) {
        const ggml_type stored = stored_type(w, type, options.layers);
        std::vector<int64_t> shape = {w.row_length};
        if (w.n_rows > 0) shape.push_back(w.n_rows);
        if (w.n_matrices > 1) shape.push_back(w.n_matrices);
        writer.add(w.name, stored, shape,
                   [&generator, w, stored](const byte_sink & sink) { generator.make(w, stored, sink); });
    }
    writer.write(options.path);
}

}
