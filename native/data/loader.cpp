#include "data/loader.h"

#include "core/error.h"
#include "core/rng.h"
#include "data/fill.h"

#include <algorithm>
#include <numeric>
#include <string>

namespace llamatune {

void check_loader_options(const loader_options & o) {
    const auto check = [](bool valid, const std::string & expected, uint64_t received) {
        if (!valid) throw error("CONFIG_INVALID", "expected " + expected + " but received " + std::to_string(received));
    };
    const layout_options & l = o.layout;
    check(o.batch_size >= 1, "a batch size of at least 1", o.batch_size);
    check(l.sequence_length >= 2, "a sequence length of at least 2", l.sequence_length);
    // flat indices into a micro-batch are 32-bit
    const std::string limit = " and at most " + std::to_string(INT32_MAX) + " tokens per micro-batch";
    if (has_token_budget(l.layout)) {
        check(l.micro_batch_tokens >= 2 && l.micro_batch_tokens <= INT32_MAX, "at least 2" + limit,
              l.micro_batch_tokens);
        return;
    }
    check(l.micro_batch_size >= 1 && l.micro_batch_size < max_segments,
          "1 to " + std::to_string(max_segments - 1) + " rows per micro-batch", l.micro_batch_size);
    check(o.batch_size % l.micro_batch_size == 0,
          "a micro-batch size that divides the batch size of " + std::to_string(o.batch_size), l.micro_batch_size);
    const uint64_t tokens = (uint64_t)l.micro_batch_size * l.sequence_length;
    check(tokens <= INT32_MAX, "at least 2" + limit, tokens);
}

namespace {

std::vector<uint32_t> lengths_of(const token_file & file) {
    std::vector<uint32_t> lengths(file.n_samples());
    for (size_t i = 0; i < lengths.size(); i++) {
        lengths[i] = (uint32_t)std::min<size_t>(file.at(i).n_tokens, UINT32_MAX);
    }
    return lengths;
}

void check_targets(const token_file & file) {
    if (file.n_samples() == 0) { throw error("DATASET_EMPTY", "the dataset has no samples"); }
    if (file.n_target_tokens() == 0) {
        throw error("DATASET_EMPTY",
                    "none of the dataset's " + std::to_string(file.n_samples()) +
                        " samples has a token that carries a loss",
                    "check which parts of a sample the loss covers");
    }
}

void check_lengths(const std::vector<uint32_t> & lengths, const layout_options & o) {
    for (size_t i = 0; i < lengths.size(); i++) {
        const std::string sample = "sample " + std::to_string(i) + " has " + std::to_string(lengths[i]) + " tokens";
        if (lengths[i] > o.sequence_length) {
            throw error("SAMPLE_TOO_LONG",
                        sample + ", more than the sequence length of " + std::to_string(o.sequence_length),
                        "raise the sequence length, or shorten or drop the sample");
        }
        if (has_token_budget(o.layout) && lengths[i] > o.micro_batch_tokens) {
            throw error("SAMPLE_TOO_LONG",
                        sample + ", more than a micro-batch of " + std::to_string(o.micro_batch_tokens) + " tokens",
                        "Raise microBatchTokens, or leave it out.");
        }
    }
}

}

loader::loader(const token_file & file, const loader_options & options)
    : file_(file), options_((check_loader_options(options), options)), lengths_(lengths_of(file)) {
    check_targets(file);
    check_lengths(lengths_, options.layout);
    plan_ = {file.n_samples(),
             (file.n_samples() + options.batch_size - 1) / options.batch_size,
             file.n_tokens(),
             file.n_target_tokens(),
             *std::max_element(lengths_.begin(), lengths_.end()),
             tokens_of_any(options.batch_size, lengths_, options.layout)};
    file.forget();
}

void loader::prepare_order(uint64_t epoch) {
    if (order_epoch_ == epoch) { return; }
    order_.resize(lengths_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    if (options_.shuffle) {
        rng random(options_.seed, epoch); // one stream per epoch, so that each epoch's order is independent
        for (size_t i = order_.size(); i > 1; i--) { std::swap(order_[i - 1], order_[random.below(i)]); }
    }
    order_epoch_ = epoch;
}

void loader::next(step_batch & out) {
    prepare_order(cursor_.epoch);
    out.epoch = cursor_.epoch;
    out.first_sample = cursor_.sample;
    out.n_samples = std::min<uint64_t>(options_.batch_size, lengths_.size() - cursor_.sample);
    out.last_of_epoch = cursor_.sample + out.n_samples == lengths_.size();
    out.total_target_tokens = 0;
    out.total_target_weight = 0;
    out.total_tokens = 0;

    const uint32_t * samples = order_.data() + cursor_.sample;
    std::vector<uint32_t> lengths(out.n_samples);
    for (size_t i = 0; i < lengths.size(); i++) lengths[i] = lengths_[samples[i]];
    std::vector<planned_batch> plan = lay_out(lengths, options_.layout);
    out.resize(plan.size());
    for (size_t m = 0; m < plan.size(); m++) {
        micro_batch & batch = out.at(m);
        clear_batch(batch, plan[m].shape);
        for (row & r : plan[m].rows) {
            for (segment & s : r.segments) s.sample = samples[s.sample];
            fill_row(batch, r, file_);
        }
        out.total_target_tokens += batch.target_position.size();
        for (const float weight : batch.target_weight) out.total_target_weight += double(weight);
        out.total_tokens += batch.n_tokens;
    }
    constexpr uint64_t window = 1 << 20; // tokens
    read_ += out.total_tokens;
    if (read_ >= window) {
        file_.forget();
        read_ = 0;
    }
    cursor_.sample += out.n_samples;
    if (out.last_of_epoch) { cursor_ = {cursor_.epoch + 1, 0}; }
}

void loader::seek(uint64_t step) {
    cursor_ = {step / plan_.steps_per_epoch, step % plan_.steps_per_epoch * options_.batch_size};
}

}
