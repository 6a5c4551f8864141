#include "score/prefix-plan.h"

#include "core/rng.h"
#include "harness.h"

#include <algorithm>

using namespace llamatune;

namespace {

using sequences = std::vector<std::vector<int32_t>>;

std::vector<token_span> sorted_spans(const sequences & all) {
    std::vector<token_span> spans;
    for (const auto & each : all) spans.push_back({each.data(), each.size()});
    std::sort(spans.begin(), spans.end(), precedes);
    return spans;
}

// Checks that a plan computes every position of every sequence once, from its own tokens, after what comes before it.
// Returns the number of computed tokens.
size_t check_plan(const std::vector<token_span> & spans, bool can_share) {
    std::vector<size_t> computed(spans.size(), 0); // positions
    size_t n_computed = 0;
    for (const auto & level : plan_shared_runs(spans, can_share)) {
        for (const shared_run & run : level) CHECK(run.begin == 0 || computed[run.parent] == run.begin);
        for (const shared_run & run : level) {
            CHECK(run.begin < run.stop);
            for (size_t s = run.first; s < run.end; s++) {
                CHECK_EQ(computed[s], run.begin);
                CHECK(std::equal(spans[s].tokens, spans[s].tokens + run.stop, spans[run.first].tokens));
                computed[s] = run.stop;
            }
            n_computed += run.stop - run.begin;
        }
    }
    for (size_t s = 0; s < spans.size(); s++) CHECK_EQ(computed[s], spans[s].size);
    return n_computed;
}

}

TEST("score: a plan computes every token once, and never more than its bound") {
    for (uint64_t seed = 0; seed < 200; seed++) {
        rng random(seed);
        sequences all(1 + size_t(random.below(20)));
        for (size_t i = 0; i < all.size(); i++) {
            // Begins like an earlier sequence, for some tokens.
            if (i > 0) all[i] = all[size_t(random.below(i))];
            all[i].resize(size_t(random.below(all[i].size() + 1)));
            for (uint64_t n = random.below(30); n > 0; n--) all[i].push_back(int32_t(random.below(2)));
        }
        const auto spans = sorted_spans(all);
        size_t most = 0, alone = 0;
        for (size_t s = 0; s < spans.size(); s++) {
            most += most_computed(spans[s].size, s > 0 ? common_length(spans[s - 1], spans[s]) : 0);
            alone += spans[s].size;
        }
        CHECK(check_plan(spans, true) <= most);
        CHECK_EQ(check_plan(spans, false), alone);
    }
}

TEST("score: a plan computes a common beginning once") {
    sequences all(4, std::vector<int32_t>(100, 7));
    for (int32_t i = 0; i < 4; i++) all[size_t(i)].insert(all[size_t(i)].end(), 10, i);
    CHECK_EQ(check_plan(sorted_spans(all), true), 100u + 4 * 10);
}
