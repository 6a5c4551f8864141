#include "harness.h"
#include "write-token-file.h"

#include "core/error.h"
#include "core/rng.h"
#include "data/loader.h"

#include <algorithm>
#include <functional>
#include <set>

using namespace llamatune;
using namespace harness;

namespace {

// Sample i starts with token 1000 * (i + 1), so that rows can be identified by their tokens.
std::unique_ptr<token_file> numbered_samples(const std::string & name, size_t n, size_t longest) {
    rng random(7);
    std::vector<token_sample> samples;
    for (size_t i = 0; i < n; i++) {
        samples.push_back(counting_sample(1000 * (int32_t)(i + 1), 2 + random.below(longest - 1)));
    }
    return token_file::open(write_token_file(name, samples));
}

bool same(const micro_batch & a, const micro_batch & b) {
    return a.shape == b.shape && a.n_filled_rows == b.n_filled_rows && a.n_samples == b.n_samples &&
           a.n_tokens == b.n_tokens && a.tokens == b.tokens && a.positions == b.positions &&
           a.segment_id == b.segment_id && a.target_position == b.target_position && a.target_token == b.target_token;
}

// The first tokens of all segments, in order.
std::vector<int32_t> samples_of(const step_batch & step) {
    std::vector<int32_t> first;
    for (const micro_batch & batch : step) {
        for (size_t i = 0; i < batch.tokens.size(); i++) {
            if (batch.segment_id[i] >= 0 && batch.positions[i] == 0) first.push_back(batch.tokens[i]);
        }
    }
    return first;
}

std::vector<int32_t> epoch_of(loader & data) {
    std::vector<int32_t> all;
    step_batch step;
    do {
        data.next(step);
        const auto part = samples_of(step);
        all.insert(all.end(), part.begin(), part.end());
    } while (!step.last_of_epoch);
    return all;
}

// Why these options and data are refused.
std::string refusal(const token_file & file, const loader_options & o) {
    try {
        loader(file, o);
    } catch (const error & e) { return e.what(); }
    return "";
}

constexpr batch_layout all_layouts[] = {batch_layout::padding_free, batch_layout::by_length, batch_layout::packed,
                                        batch_layout::padded};

loader_options options_of(batch_layout layout, bool shuffle = true, uint64_t seed = 42) {
    return {4, {layout, 32, 64, 2}, shuffle, seed};
}

}

TEST("data/loader: each epoch has every sample once, in a different order") {
    const auto file = numbered_samples("epochs.tokens", 50, 30);
    for (const batch_layout layout : all_layouts) {
        loader data(*file, options_of(layout));
        const auto first = epoch_of(data), second = epoch_of(data);
        CHECK_EQ(first.size(), 50u);
        CHECK_EQ(std::set<int32_t>(first.begin(), first.end()).size(), 50u);
        CHECK_EQ(std::set<int32_t>(second.begin(), second.end()).size(), 50u);
        CHECK(first != second);
        CHECK_EQ(data.cursor().epoch, 2u);
        CHECK_EQ(data.cursor().sample, 0u);

        loader same_seed(*file, options_of(layout)), other_seed(*file, options_of(layout, true, 43));
        CHECK(epoch_of(same_seed) == first);
        CHECK(epoch_of(same_seed) == second);
        CHECK(epoch_of(other_seed) != first);
    }
}

TEST("data/loader: without shuffling samples come in the file's order") {
    const auto file = numbered_samples("order.tokens", 10, 30);
    loader data(*file, options_of(batch_layout::padded, false));
    for (int epoch = 0; epoch < 2; epoch++) {
        const auto order = epoch_of(data);
        CHECK(std::is_sorted(order.begin(), order.end()));
    }
}

TEST("data/loader: a resumed run gets the same batches as an uninterrupted one") {
    const auto file = numbered_samples("resume.tokens", 23, 30);
    for (const batch_layout layout : all_layouts) {
        loader data(*file, options_of(layout));
        const size_t n_steps = (size_t)data.plan().steps_per_epoch * 3;
        for (size_t stop = 0; stop < n_steps; stop++) {
            loader resumed(*file, options_of(layout));
            resumed.seek(stop);
            step_batch a, b;
            data.next(a);
            resumed.next(b);
            CHECK_EQ(a.epoch, b.epoch);
            CHECK_EQ(a.first_sample, b.first_sample);
            CHECK_EQ(a.size(), b.size());
            for (size_t i = 0; i < a.size(); i++) CHECK(same(a[i], b[i]));
        }
    }
}

TEST("data/loader: steps are counted over all epochs") {
    const auto file = numbered_samples("cursor.tokens", 10, 30);
    loader data(*file, options_of(batch_layout::padded));
    const uint64_t per_epoch = data.plan().steps_per_epoch;
    data.seek(5 * per_epoch + per_epoch - 1);
    step_batch step;
    data.next(step);
    CHECK_EQ(step.epoch, 5u);
    CHECK(step.last_of_epoch);
}

TEST("data/loader: tokens, positions and segments of packed rows") {
    const auto file = token_file::open(
        write_token_file("layout.tokens", {counting_sample(10, 3), counting_sample(20, 2), counting_sample(30, 6)}));
    loader_options o = options_of(batch_layout::packed, false);
    o.layout.sequence_length = 8;
    loader data(*file, o);
    step_batch step;
    data.next(step);
    CHECK_EQ(step.size(), 1u);
    const micro_batch & b = step[0];
    // The six tokens from 30 on and the two from 20 on share a row; the three from 10 on get another row.
    CHECK((b.tokens == std::vector<int32_t>{10, 11, 12, 0, 0, 0, 0, 0, 20, 21, 30, 31, 32, 33, 34, 35}));
    CHECK((b.positions == std::vector<int32_t>{0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 0, 1, 2, 3, 4, 5}));
    CHECK((b.segment_id == std::vector<int32_t>{0, 0, 0, -1, -1, -1, -1, -1, 0, 0, 1, 1, 1, 1, 1, 1}));
    CHECK((b.target_position == std::vector<int32_t>{0, 1, 8, 10, 11, 12, 13, 14}));
    CHECK((b.target_token == std::vector<int32_t>{11, 12, 21, 31, 32, 33, 34, 35}));
    CHECK_EQ(b.n_tokens, 11u);
    CHECK_EQ(b.n_samples, 3u);
    CHECK_EQ(step.total_tokens, 11u);
    CHECK_EQ(step.total_target_tokens, 8u);
    CHECK_EQ(step.n_samples, 3u);
}

TEST("data/loader: only tokens with a weight are targets, and never across segments") {
    const token_sample weighted{{1, 2, 3, 4, 5}, {0, 0, 1, 0, 0.25f}};
    const token_sample none{{6, 7}, {0, 0}}, one{{8}, {0}};
    const auto file = token_file::open(write_token_file("weights.tokens", {weighted, none, one}));
    loader data(*file, options_of(batch_layout::packed, false));
    CHECK_EQ(data.plan().n_target_tokens, 2u);
    step_batch step;
    data.next(step);
    CHECK((step[0].target_position == std::vector<int32_t>{1, 3}));
    CHECK((step[0].target_token == std::vector<int32_t>{3, 5}));
    CHECK((step[0].target_weight == std::vector<float>{1, 0.25f}));
    CHECK_EQ(step.total_target_tokens, 2u);
    CHECK_EQ(step.total_target_weight, 1.25);

    const auto many = numbered_samples("across.tokens", 60, 20);
    loader packed(*many, options_of(batch_layout::packed));
    for (int i = 0; i < 20; i++) {
        packed.next(step);
        uint64_t targets = 0;
        for (const micro_batch & b : step) {
            targets += b.target_position.size();
            for (size_t t = 0; t < b.target_position.size(); t++) {
                const size_t p = (size_t)b.target_position[t];
                CHECK((p + 1) % b.shape.sequence_length != 0);
                CHECK(b.segment_id[p] >= 0 && b.segment_id[p] == b.segment_id[p + 1]);
                CHECK_EQ(b.tokens[p + 1], b.target_token[t]);
                CHECK_EQ(b.tokens[p + 1], b.tokens[p] + 1); // counting samples: the next token of the same sample
            }
        }
        CHECK_EQ(targets, step.total_target_tokens);
        CHECK_EQ(targets, step.total_tokens - step.n_samples); // all but the first token of each
    }
}

TEST("data/loader: the last step of an epoch is smaller and its missing rows are empty") {
    const auto file = numbered_samples("last.tokens", 7, 30);
    loader data(*file, options_of(batch_layout::padded, false));
    CHECK_EQ(data.plan().n_samples, 7u);
    CHECK_EQ(data.plan().steps_per_epoch, 2u);
    step_batch step;
    for (int epoch = 0; epoch < 3; epoch++) {
        data.next(step);
        CHECK_EQ(step.size(), 2u);
        CHECK(!step.last_of_epoch);
        data.next(step);
        CHECK(step.last_of_epoch);
        CHECK_EQ(step.size(), 2u);
        CHECK_EQ(step.n_samples, 3u);
        const micro_batch & b = step[1];
        CHECK_EQ(b.shape.n_rows, 2u);
        CHECK_EQ(b.n_filled_rows, 1u);
        for (size_t i = 0; i < 32; i++) {
            CHECK_EQ(b.tokens[32 + i], 0);
            CHECK_EQ(b.segment_id[32 + i], -1);
            CHECK_EQ(b.positions[32 + i], (int32_t)i);
        }
    }
    loader_options o = options_of(batch_layout::padded, false);
    o.batch_size = 6;
    loader shorter(*file, o);
    shorter.next(step);
    CHECK_EQ(step.size(), 3u);
    shorter.next(step);
    CHECK_EQ(step.size(), 1u); // no micro-batch without a sample
}

TEST("data/loader: steps reuse their storage") {
    const auto file = numbered_samples("storage.tokens", 30, 30);
    loader data(*file, options_of(batch_layout::padded));
    step_batch step;
    data.next(step);
    std::vector<const void *> before;
    for (size_t i = 0; i < 2; i++) {
        for (const auto * v : {&step[i].tokens, &step[i].positions, &step[i].segment_id, &step[i].target_position,
                               &step[i].target_token})
            before.push_back(v->data());
    }
    for (int n = 0; n < 20; n++) data.next(step);
    while (step.size() < 2) data.next(step);
    size_t k = 0;
    for (size_t i = 0; i < 2; i++) {
        for (const auto * v : {&step[i].tokens, &step[i].positions, &step[i].segment_id, &step[i].target_position,
                               &step[i].target_token})
            CHECK(before[k++] == v->data());
    }
}

TEST("data/loader: each layout has every token and target of a step, in micro-batches within the limits") {
    const auto file = numbered_samples("layouts.tokens", 100, 30);
    loader reference(*file, options_of(batch_layout::padded));
    for (const batch_layout layout : all_layouts) {
        reference.seek(0);
        loader data(*file, options_of(layout));
        CHECK_EQ(data.plan().steps_per_epoch, 25u);
        for (uint64_t i = 0; i < data.plan().steps_per_epoch; i++) {
            step_batch expected, step;
            reference.next(expected);
            data.next(step);
            CHECK_EQ(step.n_samples, expected.n_samples);
            CHECK_EQ(step.total_tokens, expected.total_tokens);
            CHECK_EQ(step.total_target_tokens, expected.total_target_tokens);
            std::vector<int32_t> a = samples_of(step), b = samples_of(expected);
            std::sort(a.begin(), a.end());
            std::sort(b.begin(), b.end());
            CHECK(a == b);
            for (const micro_batch & micro : step) {
                CHECK(micro.shape.n_tokens() <= 64);
                CHECK_EQ((int64_t)micro.tokens.size(), micro.shape.n_tokens());
            }
        }
    }
}

TEST("data/loader: padding-free micro-batches are few and hardly longer than their samples") {
    const auto file = numbered_samples("padding-free.tokens", 400, 120);
    loader_options o = options_of(batch_layout::padding_free);
    o.batch_size = 8;
    o.layout.sequence_length = 120;
    o.layout.micro_batch_tokens = 512;
    loader data(*file, o);
    std::set<uint32_t> lengths;
    for (uint64_t i = 0; i < data.plan().steps_per_epoch; i++) {
        step_batch step;
        data.next(step);
        CHECK_EQ(step.size(), (step.total_tokens + 511) / 512); // as few as possible
        for (const micro_batch & micro : step) {
            CHECK_EQ(micro.shape.n_rows, 1u);
            CHECK(micro.shape.packed);
            CHECK(micro.shape.sequence_length < micro.n_tokens + std::max(16u, micro.n_tokens / 8));
            lengths.insert(micro.shape.sequence_length);
        }
    }
    CHECK(lengths.size() <= 16);
}

TEST("data/loader: micro-batches by length have samples of similar lengths") {
    const auto file = numbered_samples("by-length.tokens", 64, 200);
    loader_options o = options_of(batch_layout::by_length, false);
    o.batch_size = 64;
    o.layout.sequence_length = 200;
    o.layout.micro_batch_tokens = 400;
    loader data(*file, o);
    step_batch step;
    data.next(step);
    uint64_t positions = 0;
    for (const micro_batch & micro : step) {
        CHECK(!micro.shape.packed);
        CHECK_EQ(micro.shape.n_rows, micro.n_samples); // no empty rows
        CHECK(micro.shape.n_tokens() <= 400);
        positions += (uint64_t)micro.shape.n_tokens();
    }
    CHECK(positions <= step.total_tokens * 5 / 4);
}

TEST("data/loader: a micro-batch by length may have fewer tokens than the most rows") {
    const auto file = numbered_samples("few-tokens.tokens", 20, 5);
    for (const uint32_t budget : {5u, 8u, 15u, 16u, 40u, 300u}) {
        loader_options o = options_of(batch_layout::by_length);
        o.batch_size = 20;
        o.layout.sequence_length = 5;
        o.layout.micro_batch_tokens = budget;
        uint32_t most_rows = 0;
        for (const batch_shape & shape : largest_shapes(o.layout)) {
            CHECK(shape.n_rows >= 1 && shape.sequence_length >= 2);
            CHECK(shape.n_tokens() <= budget);
            most_rows = std::max(most_rows, shape.n_rows);
        }
        loader data(*file, o);
        step_batch step;
        data.next(step);
        for (const micro_batch & micro : step) {
            CHECK(micro.shape.n_rows <= most_rows);
            CHECK(micro.shape.n_tokens() <= budget);
        }
    }
}

TEST("data/loader: the plan has the longest sample and the largest possible step") {
    const auto file = token_file::open(write_token_file(
        "plan.tokens", {counting_sample(1, 5), counting_sample(9, 3), counting_sample(20, 9), counting_sample(40, 7)}));
    loader_options o = options_of(batch_layout::padding_free);
    o.batch_size = 2;
    CHECK_EQ(loader(*file, o).plan().longest_sample, 9u);
    CHECK_EQ(loader(*file, o).plan().largest_step, 16u);
    o.batch_size = 10;
    CHECK_EQ(loader(*file, o).plan().largest_step, 24u);
    o.layout.layout = batch_layout::by_length;
    CHECK_EQ(loader(*file, o).plan().largest_step, 4 * 16u); // rows of at least 16 tokens
    o.layout.micro_batch_tokens = 64;
    loader data(*file, o);
    step_batch step;
    data.next(step);
    CHECK_EQ(step.size(), 1u);
}

TEST("data/loader: sizes that no batch can have are refused") {
    const auto file = numbered_samples("sizes.tokens", 4, 30);
    const auto refused = [&](batch_layout layout, const std::function<void(loader_options &)> & change) {
        loader_options o = options_of(layout);
        change(o);
        CHECK_ERROR("CONFIG_INVALID", loader(*file, o));
    };
    refused(batch_layout::padded, [](auto & o) { o.layout.micro_batch_size = 3; });
    refused(batch_layout::padded, [](auto & o) { o.layout.micro_batch_size = 0; });
    // llama.cpp tells at most 256 segments apart
    refused(batch_layout::packed, [](auto & o) { o.batch_size = o.layout.micro_batch_size = 256; });
    refused(batch_layout::padded, [](auto & o) { o.layout.sequence_length = 1; });
    refused(batch_layout::padding_free, [](auto & o) { o.layout.micro_batch_tokens = 1; });
    refused(batch_layout::by_length, [](auto & o) { o.batch_size = 0; });
}

TEST("data/loader: invalid data is refused") {
    const auto file = numbered_samples("refused.tokens", 4, 30);
    for (const batch_layout layout : all_layouts) {
        loader_options o = options_of(layout);
        o.layout.sequence_length = 4;
        CHECK_ERROR("SAMPLE_TOO_LONG", loader(*file, o));
        const auto empty = token_file::open(write_token_file("none.tokens", {}));
        CHECK_ERROR("DATASET_EMPTY", loader(*empty, options_of(layout)));
        const auto untargeted = token_file::open(write_token_file("untargeted.tokens", {{{1, 2}, {0, 0}}}));
        CHECK_ERROR("DATASET_EMPTY", loader(*untargeted, options_of(layout)));
    }
    const auto two = token_file::open(
        write_token_file("too-long.tokens", {counting_sample(1, 5), counting_sample(9, 9), counting_sample(20, 2)}));
    loader_options o = options_of(batch_layout::padding_free);
    o.layout.sequence_length = 8;
    CHECK_EQ(refusal(*two, o), "sample 1 has 9 tokens, more than the sequence length of 8");
    o.layout.sequence_length = 32;
    o.layout.micro_batch_tokens = 8;
    CHECK_EQ(refusal(*two, o), "sample 1 has 9 tokens, more than a micro-batch of 8 tokens");
}
