#include "score/score.h"

#include "core/cpu.h"
#include "core/error.h"
#include "core/thread-pool.h"
#include "data/token-file.h"
#include "model/info.h"
#include "model/tokenizer.h"
#include "score/prefix-plan.h"

#include <llama-model.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace llamatune {

namespace {

using clock = std::chrono::steady_clock;

constexpr int64_t logits_bytes = int64_t(64) << 20; // of a pass
constexpr int32_t least_outputs = 64;
// Sequences of a group. llama.cpp has logits for each of them at least, and a state for each in recurrent models.
constexpr int32_t most_sequences = 64;
constexpr int32_t most_recurrent_sequences = 16;

double ms_since(clock::time_point start) {
    return std::chrono::duration<double, std::milli>(clock::now() - start).count();
}

// The logits of a position, as far as scores need them.
struct output_row {
    const float * logits;
    double log_sum = 0; // log of the sum of exp(logits)
    int32_t best = 0;   // the first one of the most likely tokens
};

void reduce(output_row & row, int32_t n_vocab) {
    row.best = int32_t(std::max_element(row.logits, row.logits + n_vocab) - row.logits);
    const float highest = row.logits[row.best];
    double sum = 0;
    for (int32_t t = 0; t < n_vocab; t++) sum += double(std::exp(row.logits[t] - highest));
    row.log_sum = double(highest) + std::log(sum);
}

class scorer {
public:
    scorer(const std::shared_ptr<model> & base, const score_options & options, const score_sink & sink,
           const std::atomic<bool> & stop)
        : model_(base), options_(options), sink_(sink), stop_(stop), file_(token_file::open(options.file)),
          adapters_(base, options.adapters), n_vocab_(vocabulary_size(*base)),
          pool_(options.n_threads > 0 ? options.n_threads : usable_physical_cores()) {}

    score_totals run() {
        const auto started = clock::now();
        list_sequences();
        open_context();
        for (size_t at = 0; at < order_.size();) {
            const size_t end = end_of_group(at);
            score_group(at, end);
            at = end;
            progress_.eta_ms = ms_since(started) / double(std::max<int64_t>(progress_.tokens, 1)) *
                               double(progress_.total_tokens - progress_.tokens);
            sink_(progress_);
        }
        totals_.loss = weight_ > 0 ? totals_.loss / weight_ : NAN;
        totals_.ms = ms_since(started);
        return totals_;
    }

private:
    // Sorts the sequences, so that those with a common beginning are neighbours.
    void list_sequences() {
        if (file_->max_token() >= n_vocab_)
            throw error("TOKEN_OUT_OF_RANGE", "token " + std::to_string(file_->max_token()) +
                                                  " is not in the vocabulary of " + std::to_string(n_vocab_) +
                                                  " tokens");
        const int64_t limit = context_limit();
        for (size_t i = 0; i < file_->n_samples(); i++) {
            const token_file::sample s = file_->at(i);
            if (int64_t(s.n_tokens) > limit)
                throw error("SAMPLE_TOO_LONG",
                            "sequence " + std::to_string(i) + " has " + std::to_string(s.n_tokens) +
                                " tokens and does not fit into the context of " + std::to_string(limit) + " tokens",
                            "raise contextLength, or shorten the sequence");
            // What follows the last target has no effect on it.
            size_t n_computed = s.n_tokens - 1;
            while (n_computed > 0 && !(s.weight(n_computed) > 0)) n_computed--;
            sequences_.push_back({s.tokens, n_computed});
            longest_ = std::max(longest_, n_computed);
            progress_.total_tokens += int64_t(s.n_tokens);
        }
        progress_.total_sequences = int64_t(sequences_.size());
        order_.resize(sequences_.size());
        std::iota(order_.begin(), order_.end(), 0);
        std::stable_sort(order_.begin(), order_.end(),
                         [&](uint32_t a, uint32_t b) { return precedes(sequences_[a], sequences_[b]); });
    }

    int64_t context_limit() const {
        return options_.context_length > 0 ? options_.context_length : model_->handle()->hparams.n_ctx_train;
    }

    // Makes room for a pass and for two sequences of the largest length. Some models choose their RoPE factors by the
    // size of the context: it only exceeds the length that they were trained with first if a sequence may.
    void open_context() {
        if (longest_ == 0) return; // nothing is computed
        const int64_t first_trained = model_->handle()->hparams.n_ctx_orig_yarn;
        const int64_t largest = std::max<int64_t>(int64_t(longest_) + 1, options_.context_length);
        int64_t cells = std::max<int64_t>(options_.batch_size, 2 * largest);
        if (largest <= first_trained) cells = std::min(cells, first_trained);
        n_outputs_ = int32_t(std::clamp<int64_t>(logits_bytes / (int64_t(sizeof(float)) * n_vocab_), least_outputs,
                                                 std::max(options_.batch_size, least_outputs)));
        pass_size_ = int32_t(std::min<int64_t>(options_.batch_size, cells));
        context_options options{int32_t(cells), pass_size_, options_.n_threads};
        options.n_sequences = has_recurrent_state(*model_) ? most_recurrent_sequences : most_sequences;
        options.attention = options_.attention;
        options.n_outputs = n_outputs_;
        context_ = open_shared_context(model_, options, adapters_, stop_);
        cells_ = size_t(cells);
        n_slots_ = size_t(options.n_sequences);
        totals_.flash_attention = context_->uses_flash_attention();
    }

    // The sequences from `at` on that fit into the cache together.
    size_t end_of_group(size_t at) const {
        size_t n_tokens = 0, end = at;
        for (; end < order_.size() && (end == at || end - at < n_slots_); end++) {
            const token_span & next = sequences_[order_[end]];
            const bool shares = options_.share_prefixes && end > at;
            const size_t common = shares ? common_length(sequences_[order_[end - 1]], next) : 0;
            n_tokens += most_computed(next.size, common);
            if (n_tokens > cells_ && end > at) break;
        }
        return end;
    }

    void score_group(size_t at, size_t end) {
        std::vector<token_span> spans;
        scores_.clear();
        for (size_t i = at; i < end; i++) {
            spans.push_back(sequences_[order_[i]]);
            sequence_score score;
            score.index = order_[i];
            score.tokens = int64_t(file_->at(order_[i]).n_tokens);
            if (options_.per_token) score.target_tokens.emplace(), score.target_log_probability.emplace();
            scores_.push_back(std::move(score));
        }
        if (context_) context_->clear();
        for (const auto & level : plan_shared_runs(spans, options_.share_prefixes)) {
            for (const shared_run & run : level)
                if (run.begin > 0) context_->copy(int32_t(run.parent), int32_t(run.first));
            for (const shared_run & run : level) add(run);
            run_pass();
        }
        for (sequence_score & score : scores_) finish(score);
    }

    // Computes the positions of a run, with logits where the next token of one of its sequences is a target.
    void add(const shared_run & run) {
        const token_span & own = sequences_[size_t(scores_[run.first].index)];
        for (size_t position = run.begin; position < run.stop; position++) {
            bool predicts = false;
            for (size_t s = run.first; s < run.end && !predicts; s++) predicts = weight(s, position + 1) > 0;
            if (predicts) pending_.push_back({context_->n_added(), run.first, run.end, position + 1});
            context_->add({int32_t(run.first), int32_t(position), own.tokens[position]}, predicts);
            if (context_->n_added() == pass_size_ || int32_t(pending_.size()) == n_outputs_) run_pass();
        }
    }

    // The weight of a token of the s-th sequence of the group, 0 after its end.
    double weight(size_t s, size_t position) const {
        const token_file::sample sample = file_->at(size_t(scores_[s].index));
        return position < sample.n_tokens ? double(sample.weight(position)) : 0.0;
    }

    void run_pass() {
        if (context_->n_added() == 0) return;
        totals_.computed_tokens += context_->n_added();
        context_->run_added();
        std::vector<output_row> rows;
        for (const pending_output & each : pending_) rows.push_back({context_->logits(each.row)});
        pool_.run(int64_t(rows.size()), [&](int64_t i, int) { reduce(rows[size_t(i)], n_vocab_); });
        for (size_t i = 0; i < rows.size(); i++) {
            const pending_output & each = pending_[i];
            for (size_t s = each.first; s < each.end; s++) score_target(s, each.target, rows[i]);
        }
        pending_.clear();
    }

    void score_target(size_t s, size_t position, const output_row & row) {
        const double w = weight(s, position);
        if (!(w > 0)) return;
        sequence_score & score = scores_[s];
        const int32_t token = sequences_[size_t(score.index)].tokens[position];
        const double log_p = double(row.logits[token]) - row.log_sum;
        if (!std::isfinite(log_p))
            throw error("NON_FINITE_LOGITS",
                        "the model computed logits that are not finite for sequence " + std::to_string(score.index),
                        "the weights or an adapter have values that are not finite, or the adapter's scale is far too "
                        "large");
        score.targets++;
        score.correct += row.best == token;
        score.log_probability += log_p;
        score.weight += w;
        score.loss -= w * log_p;
        if (!options_.per_token) return;
        score.target_tokens->push_back(token);
        score.target_log_probability->push_back(float(log_p));
    }

    void finish(sequence_score & score) {
        totals_.tokens += score.tokens;
        totals_.targets += score.targets;
        totals_.correct += score.correct;
        totals_.log_probability += score.log_probability;
        totals_.loss += score.loss;
        weight_ += score.weight;
        progress_.sequences++;
        progress_.tokens += score.tokens;
        score.loss = score.targets > 0 ? score.loss / score.weight : NAN;
        sink_(score);
    }

    struct pending_output {
        int32_t row;       // of the next pass
        size_t first, end; // the sequences that it predicts a token of
        size_t target;     // position of that token
    };

    const std::shared_ptr<model> & model_;
    const score_options & options_;
    const score_sink & sink_;
    const std::atomic<bool> & stop_;
    const std::unique_ptr<token_file> file_;
    const loaded_adapters adapters_;
    const int32_t n_vocab_;
    thread_pool pool_;

    std::vector<token_span> sequences_; // what is computed of each, in the order of the file
    std::vector<uint32_t> order_;
    size_t longest_ = 0;
    std::unique_ptr<inference_context> context_;
    size_t cells_ = 0, n_slots_ = 1;
    int32_t pass_size_ = 0, n_outputs_ = 0; // most tokens and logits of a pass

    std::vector<sequence_score> scores_; // of the group
    std::vector<pending_output> pending_;
    score_progress progress_{};
    score_totals totals_;
    double weight_ = 0;
};

}

score_totals score(const std::shared_ptr<model> & base, const score_options & options, const score_sink & sink,
                   const std::atomic<bool> & stop) {
    return scorer(base, options, sink, stop).run();
}

}
