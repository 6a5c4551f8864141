#include "harness.h"

#include "core/rng.h"
#include "data/pack.h"

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace llamatune;

namespace {

std::vector<uint32_t> random_lengths(size_t n, uint32_t longest, uint64_t seed) {
    rng random(seed);
    std::vector<uint32_t> lengths(n);
    for (uint32_t & length : lengths) length = 1 + (uint32_t)random.below(longest);
    return lengths;
}

// Checks that every sample occurs once and whole, without gaps from the row's start, within the limit.
void check_rows(const std::vector<row> & rows, const std::vector<uint32_t> & lengths, uint32_t limit) {
    std::vector<int> seen(lengths.size());
    for (const row & r : rows) {
        CHECK(!r.segments.empty());
        uint32_t used = 0;
        for (const segment & s : r.segments) {
            CHECK_EQ(s.begin, used);
            CHECK_EQ(s.length, lengths.at(s.sample));
            seen[s.sample]++;
            used += s.length;
        }
        CHECK(used <= limit);
    }
    CHECK(std::all_of(seen.begin(), seen.end(), [](int n) { return n == 1; }));
}

}

TEST("data/pack: one row for each sample, in order") {
    const std::vector<uint32_t> lengths = {3, 8, 1};
    const auto rows = one_row_each(lengths);
    CHECK_EQ(rows.size(), 3u);
    check_rows(rows, lengths, 8);
    for (uint32_t i = 0; i < 3; i++) CHECK_EQ(rows[i].segments[0].sample, i);
}

TEST("data/pack: each sample occurs once, within the limit, in a deterministic layout") {
    for (uint64_t seed = 0; seed < 20; seed++) {
        const auto lengths = random_lengths(500, 1 + (uint32_t)seed * 12, seed);
        const uint64_t total = std::accumulate(lengths.begin(), lengths.end(), uint64_t(0));
        const double least = std::ceil((double)total / 256);
        for (const bool balanced : {false, true}) {
            const auto make = [&] {
                return balanced ? balanced_rows(lengths, 256, 255) : pack_rows(lengths, 256, 255);
            };
            const auto rows = make(), again = make();
            check_rows(rows, lengths, 256);
            CHECK_EQ(again.size(), rows.size());
            for (size_t i = 0; i < rows.size(); i++) {
                CHECK(rows[i].segments.size() <= 255);
                CHECK_EQ(again[i].segments.size(), rows[i].segments.size());
                for (size_t j = 0; j < rows[i].segments.size(); j++) {
                    CHECK_EQ(again[i].segments[j].sample, rows[i].segments[j].sample);
                }
            }
            // best-fit decreasing needs at most 11/9 of the optimal number of rows plus a constant
            CHECK((double)rows.size() <= 11.0 / 9.0 * least + 4);
        }
    }
}

TEST("data/pack: a sample goes into the fullest row that it fits") {
    // 6 and 5 open rows with 4 and 5 free tokens; then 4 goes next to 6 and 5 next to 5.
    const auto rows = pack_rows({5, 6, 4, 5}, 10, 255);
    CHECK_EQ(rows.size(), 2u);
    CHECK_EQ(rows[0].segments[0].sample, 0u);
    CHECK_EQ(rows[0].segments[1].sample, 3u);
    CHECK_EQ(rows[1].segments[0].sample, 1u);
    CHECK_EQ(rows[1].segments[1].sample, 2u);
}

TEST("data/pack: balanced rows are as few as possible and have similar lengths") {
    const std::vector<uint32_t> lengths = {90, 80, 70, 60, 50, 40, 30, 20}; // 440
    const auto rows = balanced_rows(lengths, 250, 255);
    CHECK_EQ(rows.size(), 2u);
    for (const row & r : rows) {
        const uint32_t n = r.segments.back().begin + r.segments.back().length;
        CHECK(n >= 200 && n <= 240);
    }
    CHECK_EQ(balanced_rows(lengths, 440, 255).size(), 1u);
    CHECK_EQ(balanced_rows(lengths, 440, 3).size(), 3u);   // at most three samples each
    CHECK_EQ(balanced_rows({5, 5, 5}, 9, 255).size(), 3u); // no two fit
    CHECK_EQ(balanced_rows(std::vector<uint32_t>(1000, 1), 5000, 255).size(), 4u);
}

// Trying every number of rows from the number of tokens on would take minutes.
TEST("data/pack: a million samples are divided at once") {
    CHECK_EQ(balanced_rows(std::vector<uint32_t>(1000000, 1), 1024, 255).size(),
             3922u); // the number of samples decides
    CHECK_EQ(balanced_rows(std::vector<uint32_t>(100000, 600), 1024, 255).size(), 100000u); // no two fit
    CHECK_EQ(balanced_rows(std::vector<uint32_t>(100000, 400), 1024, 255).size(), 50000u);  // no three fit
}
