#include "embed/embed.h"

#include "core/error.h"
#include "model/info.h"
#include "model/tokenizer.h"

#include <llama-model.h>
#include <llama.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

constexpr int32_t least_pass = 64; // tokens
constexpr int32_t most_texts = 64; // of a group
constexpr int32_t most_recurrent_texts = 16;

pooling pooling_of(const model & m, pooling asked) {
    if (asked != pooling::automatic) return asked;
    switch (m.handle()->hparams.pooling_type) {
    case LLAMA_POOLING_TYPE_CLS: return pooling::first;
    case LLAMA_POOLING_TYPE_LAST: return pooling::last;
    case LLAMA_POOLING_TYPE_RANK:
        throw error("POOLING_UNSUPPORTED",
                    "this model ranks pairs of texts; its metadata names no pooling for embeddings",
                    "give pooling 'mean', 'cls' or 'last', or use an embedding model");
    default: return pooling::mean;
    }
}

class embedder {
public:
    embedder(const std::shared_ptr<model> & base, const embed_options & options, const embedding_sink & sink,
             const std::atomic<bool> & stop)
        : model_(base), options_(options), sink_(sink), adapters_(base, options.adapters),
          n_embd_(size_t(base->handle()->hparams.n_embd_out())) {
        totals_.how = pooling_of(*base, options.how);
        totals_.dimensions = int64_t(n_embd_);
        if (options.texts.empty()) return;
        check_texts();
        open_context(stop);
    }

    embed_totals run() {
        const auto started = clock::now();
        for (size_t at = 0; at < options_.texts.size();) at = embed_group(at);
        totals_.ms = std::chrono::duration<double, std::milli>(clock::now() - started).count();
        return totals_;
    }

private:
    void check_texts() {
        const int64_t limit = model_->handle()->hparams.n_ctx_train;
        for (size_t i = 0; i < options_.texts.size(); i++) {
            const std::vector<int32_t> & text = options_.texts[i];
            if (text.empty())
                throw error("TEXT_EMPTY", "text " + std::to_string(i) + " has no tokens", "leave out empty texts");
            if (int64_t(text.size()) > limit)
                throw error("TEXT_TOO_LONG",
                            "text " + std::to_string(i) + " has " + std::to_string(text.size()) +
                                " tokens, more than the context length of the model (" + std::to_string(limit) + ")",
                            "shorten the text or split it");
            check_tokens(*model_, text);
            longest_ = std::max(longest_, text.size());
        }
    }

    // A model whose tokens attend to later ones needs whole texts in a pass.
    void open_context(const std::atomic<bool> & stop) {
        const auto & hparams = model_->handle()->hparams;
        whole_texts_ = !hparams.causal_attn || !llama_model_has_decoder(model_->handle());
        const size_t most = size_t(std::max(options_.batch_size, least_pass));
        n_cells_ = std::max(most, longest_);
        pass_size_ = whole_texts_ ? n_cells_ : most;
        context_options options{int32_t(n_cells_), int32_t(pass_size_), options_.n_threads};
        options.n_sequences = has_recurrent_state(*model_) ? most_recurrent_texts : most_texts;
        options.attention = options_.attention;
        options.n_outputs = int32_t(pass_size_);
        options.embeddings = true;
        context_ = open_shared_context(model_, options, adapters_, stop);
        n_slots_ = size_t(options.n_sequences);
        totals_.flash_attention = context_->uses_flash_attention();
    }

    // Embeds the texts from `at` on that fit into the cache together, and returns where the next group starts.
    size_t embed_group(size_t at) {
        size_t end = at, n_tokens = 0;
        while (end < options_.texts.size() && end - at < n_slots_ && n_tokens + options_.texts[end].size() <= n_cells_)
            n_tokens += options_.texts[end++].size();
        context_->clear();
        sums_.assign(end - at, std::vector<double>(n_embd_));
        for (size_t i = at; i < end; i++) {
            const std::vector<int32_t> & text = options_.texts[i];
            for (size_t position = 0; position < text.size(); position++) {
                context_->add({int32_t(i - at), int32_t(position), text[position]}, true);
                pending_.push_back({i - at, position, text.size()});
                if (pending_.size() == pass_size_) run_pass();
            }
        }
        run_pass();
        totals_.tokens += int64_t(n_tokens);
        for (size_t i = at; i < end; i++) finish(i, sums_[i - at]);
        return end;
    }

    void run_pass() {
        if (pending_.empty()) return;
        context_->run_added();
        for (size_t row = 0; row < pending_.size(); row++) {
            const pending_token & each = pending_[row];
            const double weight = weight_of(each.position, each.n_tokens);
            if (weight == 0) continue;
            const float * state = context_->hidden_state(int32_t(row));
            for (size_t i = 0; i < n_embd_; i++) sums_[each.text][i] += weight * double(state[i]);
        }
        pending_.clear();
    }

    double weight_of(size_t position, size_t n_tokens) const {
        if (totals_.how == pooling::first) return position == 0;
        if (totals_.how == pooling::last) return position + 1 == n_tokens;
        return 1.0 / double(n_tokens);
    }

    void finish(size_t text, const std::vector<double> & sum) {
        double squares = 0;
        for (const double value : sum) squares += value * value;
        if (!std::isfinite(squares))
            throw error("NON_FINITE_EMBEDDING",
                        "the model computed an embedding that is not finite for text " + std::to_string(text),
                        "the weights or an adapter have values that are not finite, or the adapter's scale is far too "
                        "large");
        const double scale = options_.normalize && squares > 0 ? 1 / std::sqrt(squares) : 1;
        text_embedding result{int64_t(text), {}};
        for (const double value : sum) result.values.push_back(float(value * scale));
        sink_(result);
    }

    struct pending_token {
        size_t text; // of the group
        size_t position, n_tokens;
    };

    const std::shared_ptr<model> & model_;
    const embed_options & options_;
    const embedding_sink & sink_;
    const loaded_adapters adapters_;
    const size_t n_embd_;
    size_t longest_ = 0;
    bool whole_texts_ = false;
    size_t n_cells_ = 0, n_slots_ = 1, pass_size_ = 0; // of the context: tokens, texts, tokens of a pass
    std::unique_ptr<inference_context> context_;

    std::vector<std::vector<double>> sums_; // weighted sum of the hidden states of each text of the group
    std::vector<pending_token> pending_;
    embed_totals totals_;
};

}

embed_totals embed(const std::shared_ptr<model> & base, const embed_options & options, const embedding_sink & sink,
                   const std::atomic<bool> & stop) {
    return embedder(base, options, sink, stop).run();
}

}
