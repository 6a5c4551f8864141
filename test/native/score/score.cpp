// The scores of sequences equal what follows from the logits of llama_decode, one sequence at a time.

#include "score/score.h"

#include "architectures/survey.h"
#include "core/error.h"
#include "core/rng.h"
#include "data/write-token-file.h"
#include "graph/logits.h"
#include "harness.h"
#include "model/tiny-models.h"
#include "model/tokenizer.h"
#include "train/tiny-training.h"

#include <cmath>

using namespace llamatune;

namespace {

const std::atomic<bool> never_stop{false};

using samples = std::vector<harness::token_sample>;

// Sequences of which several begin with the same tokens; some tokens carry a loss, with different weights.
samples related_samples(const model & m, uint64_t seed) {
    rng random(seed);
    const auto token = [&] { return int32_t(random.below(uint64_t(vocabulary_size(m)))); };
    std::vector<int32_t> prompt(24);
    for (int32_t & each : prompt) each = token();
    samples all(7);
    for (size_t i = 0; i < all.size(); i++) {
        if (i != 3) all[i].tokens = prompt;
        if (i == 5) all[i].tokens = all[4].tokens;
        for (size_t n = 4 + 3 * i; n > 0; n--) all[i].tokens.push_back(token());
        for (size_t t = 0; t < all[i].tokens.size(); t++)
            all[i].weights.push_back(
                t > 0 && (i < 2 ? t + 3 > all[i].tokens.size() : t % 3 > 0) ? 0.25f * float(1 + i % 3) : 0.0f);
    }
    return all;
}

struct outcome {
    std::vector<sequence_score> scores; // by index
    score_totals totals;
};

outcome run(const std::shared_ptr<model> & m, const samples & all, score_options o = {}) {
    o.file = harness::write_token_file("score.tok", all);
    o.n_threads = 1;
    outcome result;
    result.scores.resize(all.size());
    int64_t n_done = 0;
    const auto sink = [&](const score_event & event) {
        if (const auto * score = std::get_if<sequence_score>(&event)) {
            result.scores.at(size_t(score->index)) = *score;
            n_done++;
        } else {
            CHECK_EQ(std::get<score_progress>(event).sequences, n_done);
        }
    };
    result.totals = score(m, o, sink, never_stop);
    CHECK_EQ(n_done, int64_t(all.size()));
    return result;
}

// log p of the tokens of a sequence, and whether they are the most likely ones, from the logits of stock llama.cpp.
struct reference {
    std::vector<double> log_p;
    std::vector<bool> best;
};

reference by_hand(const model & m, const std::vector<int32_t> & tokens, const std::string & adapter = "") {
    micro_batch batch;
    batch.shape.sequence_length = uint32_t(tokens.size());
    batch.n_filled_rows = batch.n_samples = 1;
    batch.tokens = tokens;
    for (size_t i = 0; i < tokens.size(); i++) batch.positions.push_back(int32_t(i)), batch.segment_id.push_back(0);
    const std::vector<float> rows = logits::by_decode(m, batch, adapter);
    const size_t n_vocab = rows.size() / tokens.size();
    reference result{{NAN}, {false}};
    for (size_t t = 1; t < tokens.size(); t++) {
        const float * row = rows.data() + (t - 1) * n_vocab;
        double sum = 0;
        for (size_t v = 0; v < n_vocab; v++) sum += std::exp(double(row[v]) - double(row[0]));
        result.log_p.push_back(double(row[tokens[t]]) - double(row[0]) - std::log(sum));
        size_t best = 0;
        for (size_t v = 0; v < n_vocab; v++) best = row[v] > row[best] ? v : best;
        result.best.push_back(best == size_t(tokens[t]));
    }
    return result;
}

void check_by_hand(const model & m, const samples & all, const outcome & found, double tolerance,
                   const std::string & adapter = "") {
    double loss = 0, weight = 0;
    for (size_t i = 0; i < all.size(); i++) {
        const reference expected = by_hand(m, all[i].tokens, adapter);
        double log_p = 0, own_loss = 0, own_weight = 0;
        int64_t targets = 0, correct = 0;
        for (size_t t = 1; t < all[i].tokens.size(); t++) {
            const double w = double(all[i].weights[t]);
            if (w == 0) continue;
            targets++;
            correct += expected.best[t];
            log_p += expected.log_p[t];
            own_loss -= w * expected.log_p[t];
            own_weight += w;
        }
        CHECK_EQ(found.scores[i].targets, targets);
        CHECK_EQ(found.scores[i].correct, correct);
        CHECK_NEAR(found.scores[i].log_probability, log_p, tolerance * double(targets));
        CHECK_NEAR(found.scores[i].loss, own_loss / own_weight, tolerance);
        loss += own_loss;
        weight += own_weight;
    }
    CHECK_NEAR(found.totals.loss, loss / weight, tolerance);
}

}

TEST("score: log-probabilities equal those from llama_decode's logits") {
    const auto m = tiny::load("llama");
    const samples all = related_samples(*m, 3);
    const outcome found = run(m, all);
    check_by_hand(*m, all, found, 1e-5);
    CHECK(found.totals.computed_tokens < found.totals.tokens - 4 * 24); // the common prompt once
}

TEST("score: sharing common beginnings, and the size of a pass, change nothing") {
    const auto m = tiny::load("llama");
    const samples all = related_samples(*m, 4);
    const outcome expected = run(m, all);
    for (const int32_t batch_size : {512, 7, 1}) {
        score_options o;
        o.share_prefixes = false;
        o.batch_size = batch_size;
        const outcome found = run(m, all, o);
        CHECK(found.totals.computed_tokens > expected.totals.computed_tokens);
        for (size_t i = 0; i < all.size(); i++)
            CHECK_NEAR(found.scores[i].log_probability, expected.scores[i].log_probability, 1e-4);
    }
}

TEST("score: sequences that do not fit into the cache together form groups") {
    const auto m = tiny::load("llama");
    samples all;
    for (uint64_t seed = 0; seed < 40; seed++)
        for (auto & each : related_samples(*m, seed)) all.push_back(each);
    check_by_hand(*m, all, run(m, all), 1e-5);
}

TEST("score: with per_token, every target has its value") {
    const auto m = tiny::load("llama");
    const samples all = related_samples(*m, 5);
    score_options o;
    o.per_token = true;
    const outcome found = run(m, all, o);
    for (size_t i = 0; i < all.size(); i++) {
        const reference expected = by_hand(*m, all[i].tokens);
        size_t n = 0;
        for (size_t t = 1; t < all[i].tokens.size(); t++) {
            if (all[i].weights[t] == 0) continue;
            CHECK_EQ(found.scores[i].target_tokens->at(n), all[i].tokens[t]);
            CHECK_NEAR(double(found.scores[i].target_log_probability->at(n)), expected.log_p[t], 1e-5);
            n++;
        }
        CHECK_EQ(found.scores[i].target_tokens->size(), n);
    }
}

TEST("score: an adapter changes the scores as it changes the logits") {
    const auto m = tiny::arch("qwen3");
    const samples all = related_samples(*m, 6);
    tiny::training_options options;
    options.targets = {"attn_q", "ffn_down"};
    micro_batch batch;
    batch.shape.sequence_length = 8;
    batch.n_filled_rows = batch.n_samples = 1;
    for (int32_t i = 0; i < 8; i++)
        batch.tokens.push_back(i), batch.positions.push_back(i), batch.segment_id.push_back(0);
    const tiny::training t(m, batch, options);
    score_options o;
    o.adapters = {{tiny::scratch("score-adapter.gguf"), 1.0f}};
    t.save(o.adapters[0].path);
    const outcome found = run(m, all, o);
    check_by_hand(*m, all, found, 1e-5, o.adapters[0].path);
    CHECK(std::fabs(found.totals.loss - run(m, all).totals.loss) > 1e-3);
}

TEST("score: every architecture that generates, recurrent ones too") {
    size_t n_scored = 0;
    std::string wrong;
    for (const std::string & name : architectures::all_names()) {
        try {
            const auto m = model::load({harness::arch_model(name)});
            samples all = related_samples(*m, 8);
            all.resize(5);
            score_options o;
            o.attention = flash_attention::off; // the reference's kernels
            const outcome found = run(m, all, o);
            check_by_hand(*m, all, found, 1e-3);
            n_scored++;
        } catch (const error & e) {
            if (e.code() != "UNSUPPORTED_ARCHITECTURE") wrong += "\n" + name + ": " + e.code() + ": " + e.what();
        } catch (const std::exception & e) { wrong += "\n" + name + ": " + e.what(); }
    }
    if (!wrong.empty()) throw harness::failure(wrong);
    CHECK(n_scored > 110);
}

TEST("score: errors say what is wrong") {
    const auto m = tiny::load("llama");
    samples all = related_samples(*m, 3);
    score_options o;
    o.context_length = 16;
    CHECK_ERROR("SAMPLE_TOO_LONG", run(m, all, o));
    o.context_length = 0;
    o.file = harness::write_token_file("score.tok", all);
    const std::atomic<bool> stopped{true};
    CHECK_ERROR("ABORTED", score(m, o, [](const score_event &) {}, stopped));
    all[0].tokens[0] = vocabulary_size(*m);
    CHECK_ERROR("TOKEN_OUT_OF_RANGE", run(m, all));
}
