#include "embed/tiny-bert.h"

#include "core/rng.h"
#include "gguf/writer.h"
#include "harness.h"

#include <cmath>
#include <functional>
#include <map>

namespace tiny_bert {

namespace {

constexpr int64_t n_embd = 32, n_head = 4, n_ff = 64, n_layer = 2, n_vocab = 40, n_ctx = 512;
constexpr double norm_epsilon = 1e-12;

using values = std::vector<double>; // of a matrix: rows one after the other, [n_out][n_in]

struct weight {
    std::vector<int64_t> shape; // in ggml's order
    values data;
};

void add(std::map<std::string, weight> & all, const std::string & name, std::vector<int64_t> shape, double mean) {
    llamatune::rng random(all.size() + 1);
    int64_t n = 1;
    for (const int64_t size : shape) n *= size;
    weight & w = all[name];
    w.shape = std::move(shape);
    for (int64_t i = 0; i < n; i++) w.data.push_back(double(float(mean) + random.uniform(-0.2f, 0.2f)));
}

void add_layer(std::map<std::string, weight> & all, const std::string & name, int64_t n_in, int64_t n_out) {
    add(all, name + ".weight", {n_in, n_out}, 0);
    add(all, name + ".bias", {n_out}, 0);
}

void add_norm(std::map<std::string, weight> & all, const std::string & name) {
    add(all, name + ".weight", {n_embd}, 1);
    add(all, name + ".bias", {n_embd}, 0);
}

const std::map<std::string, weight> & weights() {
    static const std::map<std::string, weight> made = [] {
        std::map<std::string, weight> all;
        add(all, "token_embd.weight", {n_embd, n_vocab}, 0);
        add(all, "token_types.weight", {n_embd, 2}, 0);
        add(all, "position_embd.weight", {n_embd, n_ctx}, 0);
        add_norm(all, "token_embd_norm");
        for (int64_t layer = 0; layer < n_layer; layer++) {
            const std::string prefix = "blk." + std::to_string(layer) + ".";
            for (const char * kind : {"attn_q", "attn_k", "attn_v", "attn_output"})
                add_layer(all, prefix + kind, n_embd, n_embd);
            add_norm(all, prefix + "attn_output_norm");
            add_layer(all, prefix + "ffn_up", n_embd, n_ff);
            add_layer(all, prefix + "ffn_down", n_ff, n_embd);
            add_norm(all, prefix + "layer_output_norm");
        }
        return all;
    }();
    return made;
}

const values & weight_of(const std::string & name) { return weights().at(name).data; }

using rows = std::vector<values>;

values linear(const std::string & name, const values & x) {
    const values &w = weight_of(name + ".weight"), &b = weight_of(name + ".bias");
    values y = b;
    for (size_t o = 0; o < y.size(); o++)
        for (size_t i = 0; i < x.size(); i++) y[o] += w[o * x.size() + i] * x[i];
    return y;
}

values norm(const std::string & name, const values & x) {
    double mean = 0, variance = 0;
    for (const double each : x) mean += each / double(x.size());
    for (const double each : x) variance += (each - mean) * (each - mean) / double(x.size());
    values y;
    for (size_t i = 0; i < x.size(); i++)
        y.push_back((x[i] - mean) / std::sqrt(variance + norm_epsilon) * weight_of(name + ".weight")[i] +
                    weight_of(name + ".bias")[i]);
    return y;
}

values sum(const values & a, const values & b) {
    values y = a;
    for (size_t i = 0; i < y.size(); i++) y[i] += b[i];
    return y;
}

// Every token attends to all tokens.
rows attention(const std::string & prefix, const rows & x) {
    rows q, k, v, result;
    for (const values & each : x) {
        q.push_back(linear(prefix + "attn_q", each));
        k.push_back(linear(prefix + "attn_k", each));
        v.push_back(linear(prefix + "attn_v", each));
    }
    constexpr size_t n = size_t(n_embd / n_head);
    for (const values & query : q) {
        values mixed(size_t{n_embd});
        for (size_t head = 0; head < size_t{n_head}; head++) {
            values p;
            double total = 0;
            for (const values & key : k) {
                double score = 0;
                for (size_t i = head * n; i < (head + 1) * n; i++) score += query[i] * key[i];
                p.push_back(std::exp(score / std::sqrt(double(n))));
                total += p.back();
            }
            for (size_t t = 0; t < v.size(); t++)
                for (size_t i = head * n; i < (head + 1) * n; i++) mixed[i] += p[t] / total * v[t][i];
        }
        result.push_back(linear(prefix + "attn_output", mixed));
    }
    return result;
}

values feed_forward(const std::string & prefix, const values & x) {
    values hidden = linear(prefix + "ffn_up", x);
    for (double & each : hidden) // the approximation of GELU that ggml has
        each *= 0.5 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (each + 0.044715 * each * each * each)));
    return linear(prefix + "ffn_down", hidden);
}

values embedding(const std::string & name, int64_t row) {
    const values & all = weight_of(name);
    return {all.begin() + row * n_embd, all.begin() + (row + 1) * n_embd};
}

}

std::string path(pooling_type pooling) {
    const std::string file = harness::cache_directory() + "/tiny-bert-" + std::to_string(pooling) + ".gguf";
    llamatune::gguf_writer writer;
    writer.set("general.architecture", "bert");
    writer.set("bert.block_count", uint32_t(n_layer));
    writer.set("bert.context_length", uint32_t(n_ctx));
    writer.set("bert.embedding_length", uint32_t(n_embd));
    writer.set("bert.feed_forward_length", uint32_t(n_ff));
    writer.set("bert.attention.head_count", uint32_t(n_head));
    writer.set("bert.attention.layer_norm_epsilon", float(norm_epsilon));
    writer.set("bert.attention.causal", false);
    writer.set("bert.pooling_type", uint32_t(pooling));
    writer.set("tokenizer.ggml.model", "no_vocab");
    writer.set("bert.vocab_size", uint32_t(n_vocab));
    writer.set("tokenizer.ggml.token_type_count", uint32_t(2));
    std::vector<std::vector<float>> data;
    data.reserve(weights().size());
    for (const auto & [name, w] : weights()) {
        const std::vector<float> & floats = data.emplace_back(w.data.begin(), w.data.end());
        writer.add(name, GGML_TYPE_F32, w.shape, [&floats](const llamatune::byte_sink & sink) {
            sink(floats.data(), floats.size() * sizeof(float));
        });
    }
    writer.write(file);
    return file;
}

std::vector<std::vector<float>> hidden_states(const std::vector<int32_t> & tokens) {
    rows x;
    for (size_t i = 0; i < tokens.size(); i++)
        x.push_back(norm("token_embd_norm",
                         sum(sum(embedding("token_embd.weight", tokens[i]), embedding("token_types.weight", 0)),
                             embedding("position_embd.weight", int64_t(i)))));
    for (int64_t layer = 0; layer < n_layer; layer++) {
        const std::string prefix = "blk." + std::to_string(layer) + ".";
        const rows attended = attention(prefix, x);
        for (size_t t = 0; t < x.size(); t++) {
            x[t] = norm(prefix + "attn_output_norm", sum(x[t], attended[t]));
            x[t] = norm(prefix + "layer_output_norm", sum(x[t], feed_forward(prefix, x[t])));
        }
    }
    std::vector<std::vector<float>> states;
    for (const values & each : x) states.emplace_back(each.begin(), each.end());
    return states;
}

}
