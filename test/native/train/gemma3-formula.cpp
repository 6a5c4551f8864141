// Compares loss and gradients of a Gemma 3 model with its formulas in double precision (Gemma 3 technical report, arXiv
// 2503.19786; GELU in its tanh form).

#include "harness.h"
#include "model/tiny-models.h"
#include "model/weights.h"
#include "relative-error.h"
#include "scalar-tape.h"
#include "tiny-batch.h"
#include "train/tiny-training.h"

#include <map>

using namespace llamatune;

namespace {

using row = scalar_tape::row;
using number = scalar_tape::number;

constexpr size_t n_embd = 64, n_heads = 4, n_kv_heads = 2, head_length = 16, n_layers = 2; // of tiny::options()
constexpr double epsilon = 1e-6, rope_base = 10000, adapter_scale = 2;                     // alpha 8, rank 4

class gemma3 {
public:
    gemma3(const model & m, const tiny::training & t) {
        for (ggml_tensor * weight : list_weights(m)) read(weight);
        for (const parameter & p : t.parameters()) read(p.value);
    }

    // The mean cross-entropy of the targets.
    number loss(const micro_batch & batch) {
        row losses;
        const size_t length = batch.shape.sequence_length;
        size_t target = 0;
        for (size_t first = 0; first < batch.tokens.size(); first += length) {
            const std::vector<row> hidden =
                states({batch.tokens.begin() + long(first), batch.tokens.begin() + long(first + length)});
            for (; target < batch.target_position.size() && size_t(batch.target_position[target]) < first + length;
                 target++) {
                const row logits = linear("output", hidden[size_t(batch.target_position[target]) - first]);
                losses.push_back(cross_entropy(logits, size_t(batch.target_token[target])));
            }
        }
        const row weights(losses.size(), tape_.add(1.0 / double(losses.size())));
        return tape_.dot(losses.data(), weights.data(), losses.size());
    }

    double value(number n) const { return tape_[n]; }

    // In the order of the parameters.
    std::vector<std::vector<double>> gradients(number loss, const tiny::training & t) const {
        const std::vector<double> all = tape_.gradients(loss);
        std::vector<std::vector<double>> found;
        for (const parameter & p : t.parameters()) {
            found.emplace_back();
            for (const number n : weights_.at(p.name)) found.back().push_back(all[n]);
        }
        return found;
    }

private:
    void read(ggml_tensor * tensor) {
        std::vector<float> values(size_t(ggml_nelements(tensor)));
        CHECK(tensor->type == GGML_TYPE_F32);
        ggml_backend_tensor_get(tensor, values.data(), 0, ggml_nbytes(tensor));
        row & numbers = weights_[tensor->name];
        for (const float v : values) numbers.push_back(tape_.add(double(v)));
    }

    row times(const row & matrix, const row & x) {
        row y;
        for (size_t i = 0; i < matrix.size(); i += x.size()) y.push_back(tape_.dot(&matrix[i], x.data(), x.size()));
        return y;
    }

    row sum(const row & a, const row & b) {
        row y;
        for (size_t i = 0; i < a.size(); i++) y.push_back(tape_.sum(a[i], b[i]));
        return y;
    }

    // W x + s B A x
    row linear(const std::string & name, const row & x) {
        const std::string weight = name + ".weight";
        row change = times(weights_.at(weight + ".lora_b"), times(weights_.at(weight + ".lora_a"), x));
        for (number & n : change) n = tape_.scaled(n, adapter_scale);
        return sum(times(weights_.at(weight), x), change);
    }

    // w x / √(mean(x²) + ε)
    row rms_norm(const std::string & name, const row & x) {
        const row & gain = weights_.at(name + ".weight");
        const number squares = tape_.dot(x.data(), x.data(), x.size());
        const double mean = tape_[squares] / double(x.size()) + epsilon, inverse = 1 / std::sqrt(mean);
        const number factor = tape_.add(inverse, {{squares, -0.5 * inverse / mean / double(x.size())}});
        row y;
        for (size_t i = 0; i < x.size(); i++) y.push_back(tape_.product(tape_.product(x[i], factor), gain[i]));
        return y;
    }

    // Rotates pairs (i, i + n/2) by position · base^(-2i/n).
    row rope(const row & x, size_t position) {
        const size_t half = x.size() / 2;
        row y(x.size());
        for (size_t i = 0; i < half; i++) {
            const double angle = double(position) * std::pow(rope_base, -double(i) / double(half));
            const double c = std::cos(angle), s = std::sin(angle), a = tape_[x[i]], b = tape_[x[i + half]];
            y[i] = tape_.add(a * c - b * s, {{x[i], c}, {x[i + half], -s}});
            y[i + half] = tape_.add(a * s + b * c, {{x[i], s}, {x[i + half], c}});
        }
        return y;
    }

    // Heads of n / head_length, each normalised and rotated.
    std::vector<row> heads(const row & x, const std::string & norm, size_t position) {
        std::vector<row> all;
        for (size_t i = 0; i < x.size(); i += head_length) {
            const row head(x.begin() + long(i), x.begin() + long(i + head_length));
            all.push_back(norm.empty() ? head : rope(rms_norm(norm, head), position));
        }
        return all;
    }

    number exponential(number x) { return tape_.add(std::exp(tape_[x]), {{x, std::exp(tape_[x])}}); }

    // Σ softmax(q·k / √n)[j] v[j] over the given keys
    row attend(const row & q, const std::vector<row> & k, const std::vector<row> & v) {
        row weights;
        const row ones(k.size(), tape_.add(1));
        for (const row & key : k) {
            weights.push_back(
                exponential(tape_.scaled(tape_.dot(q.data(), key.data(), q.size()), 1 / std::sqrt(double(q.size())))));
        }
        const number total = tape_.dot(weights.data(), ones.data(), weights.size());
        const double inverse = 1 / tape_[total];
        const number factor = tape_.add(inverse, {{total, -inverse * inverse}});
        row y;
        for (size_t i = 0; i < v[0].size(); i++) {
            row column;
            for (const row & value : v) column.push_back(value[i]);
            y.push_back(tape_.product(tape_.dot(weights.data(), column.data(), weights.size()), factor));
        }
        return y;
    }

    std::vector<row> attention(const std::string & layer, const std::vector<row> & x) {
        std::vector<std::vector<row>> k(n_kv_heads), v(n_kv_heads);
        std::vector<row> y;
        for (size_t position = 0; position < x.size(); position++) {
            const std::vector<row> q = heads(linear(layer + "attn_q", x[position]), layer + "attn_q_norm", position);
            const std::vector<row> key = heads(linear(layer + "attn_k", x[position]), layer + "attn_k_norm", position);
            const std::vector<row> value = heads(linear(layer + "attn_v", x[position]), "", position);
            row all;
            for (size_t h = 0; h < n_kv_heads; h++) {
                k[h].push_back(key[h]);
                v[h].push_back(value[h]);
            }
            for (size_t h = 0; h < n_heads; h++) {
                const size_t group = h / (n_heads / n_kv_heads);
                const row head = attend(q[h], k[group], v[group]);
                all.insert(all.end(), head.begin(), head.end());
            }
            y.push_back(linear(layer + "attn_output", all));
        }
        return y;
    }

    number gelu(number at) {
        const double x = tape_[at], c = 0.79788456080286535588, k = 0.044715;
        const double t = std::tanh(c * (x + k * x * x * x));
        return tape_.add(x / 2 * (1 + t), {{at, (1 + t) / 2 + x / 2 * (1 - t * t) * c * (1 + 3 * k * x * x)}});
    }

    row feed_forward(const std::string & layer, const row & x) {
        const row gate = linear(layer + "ffn_gate", x), up = linear(layer + "ffn_up", x);
        row y;
        for (size_t i = 0; i < gate.size(); i++) y.push_back(tape_.product(gelu(gate[i]), up[i]));
        return linear(layer + "ffn_down", y);
    }

    // The final norm's output for every token of one sequence.
    std::vector<row> states(const std::vector<int32_t> & tokens) {
        std::vector<row> x;
        const row & embeddings = weights_.at("token_embd.weight");
        for (const int32_t token : tokens) {
            x.emplace_back();
            for (size_t i = 0; i < n_embd; i++) {
                x.back().push_back(tape_.scaled(embeddings[size_t(token) * n_embd + i], std::sqrt(double(n_embd))));
            }
        }
        for (size_t l = 0; l < n_layers; l++) {
            const std::string layer = "blk." + std::to_string(l) + ".";
            std::vector<row> normed;
            for (const row & token : x) normed.push_back(rms_norm(layer + "attn_norm", token));
            const std::vector<row> attended = attention(layer, normed);
            for (size_t i = 0; i < x.size(); i++) {
                x[i] = sum(x[i], rms_norm(layer + "post_attention_norm", attended[i]));
                const row y = feed_forward(layer, rms_norm(layer + "ffn_norm", x[i]));
                x[i] = sum(x[i], rms_norm(layer + "post_ffw_norm", y));
            }
        }
        for (row & token : x) token = rms_norm("output_norm", token);
        return x;
    }

    // log Σ exp(logits) - logits[target]
    number cross_entropy(const row & logits, size_t target) {
        double total = 0;
        for (const number n : logits) total += std::exp(tape_[n]);
        std::vector<scalar_tape::edge> edges;
        for (size_t i = 0; i < logits.size(); i++)
            edges.push_back({logits[i], std::exp(tape_[logits[i]]) / total - (i == target ? 1.0 : 0.0)});
        return tape_.add(std::log(total) - tape_[logits[target]], edges);
    }

    scalar_tape tape_;
    std::map<std::string, row> weights_;
};

}

TEST("train/gemma3-formula: loss and gradients are those of the formulas in double precision") {
    const auto m = tiny::load("gemma3");
    const micro_batch batch = tiny_batch(*m, 2, 9);
    for (const rule_mode rules : {rule_mode::automatic, rule_mode::composed}) {
        tiny::training_options options;
        options.step.gradient.rules = rules;
        tiny::training t(m, batch, options);
        gemma3 formula(*m, t);
        const number loss = formula.loss(batch);
        const double expected = formula.value(loss);
        CHECK_NEAR(t.loss(batch), expected, 1e-6 * expected);
        const tiny::tensor_values received = tiny::gradients_of(t, batch);
        const auto gradients = formula.gradients(loss, t);
        for (size_t i = 0; i < received.size(); i++) {
            CHECK_EQ(received[i].size(), gradients[i].size());
            CHECK(relative_error(received[i], gradients[i]) < 1e-5);
        }
    }
}
