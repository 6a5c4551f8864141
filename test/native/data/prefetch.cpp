#include "data/prefetch.h"

#include "data/write-token-file.h"
#include "harness.h"

using namespace llamatune;

namespace {

std::vector<harness::token_sample> samples(size_t n) {
    std::vector<harness::token_sample> all(n);
    for (size_t i = 0; i < n; i++) {
        all[i].tokens = {int32_t(i), int32_t(i) + 1, int32_t(i) + 2};
        all[i].weights = {0, 1, 1};
    }
    return all;
}

bool same(const step_batch & a, const step_batch & b) {
    bool equal = a.size() == b.size() && a.epoch == b.epoch && a.first_sample == b.first_sample &&
                 a.last_of_epoch == b.last_of_epoch && a.total_target_tokens == b.total_target_tokens &&
                 a.total_tokens == b.total_tokens && a.n_samples == b.n_samples;
    for (size_t i = 0; equal && i < a.size(); i++) {
        equal = a[i].tokens == b[i].tokens && a[i].target_position == b[i].target_position &&
                a[i].target_token == b[i].target_token && a[i].segment_id == b[i].segment_id;
    }
    return equal;
}

}

TEST("data/prefetch: gives the loader's steps and cursors, over epochs and from any step on") {
    const auto file = token_file::open(harness::write_token_file("prefetch.tokens", samples(11)));
    const loader_options options{4, {batch_layout::padded, 8, 0, 2}, true, 7};
    for (int skipped = 0; skipped < 4; skipped++) {
        loader behind(*file, options);
        loader reference(*file, options);
        step_batch expected;
        for (int i = 0; i < skipped; i++) reference.next(expected);
        behind.seek(uint64_t(skipped));
        prefetcher ahead(behind, 7);
        for (int i = 0; i < 7; i++) {
            CHECK(ahead.cursor().epoch == reference.cursor().epoch &&
                  ahead.cursor().sample == reference.cursor().sample);
            reference.next(expected);
            CHECK(same(ahead.next(), expected));
        }
        CHECK(ahead.cursor().epoch == reference.cursor().epoch && ahead.cursor().sample == reference.cursor().sample);
    }
}

TEST("data/prefetch: can be destroyed before its end, and with no steps") {
    const auto file = token_file::open(harness::write_token_file("prefetch-end.tokens", samples(5)));
    loader data(*file, {2, {batch_layout::padded, 8, 0, 1}, false, 7});
    { const prefetcher none(data, 0); }
    CHECK(data.cursor().sample == 0); // nothing was read
    for (int i = 0; i < 20; i++) {
        prefetcher ahead(data, 5);
        CHECK(!ahead.next().last_of_epoch || i > 0);
    }
}
