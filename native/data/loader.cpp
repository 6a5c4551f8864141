#include "data/loader.h"

#include "core/error.h"
#include "core/rng.h"
#include "data/fill.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <utility>

namespace llamatune {

void check_loader_options(const loader_options & o) {
    if (o.sequence_length < 2) {
        throw error("CONFIG_INVALID",
                    "expected a sequence length of at least 2 but received " + std::to_string(o.sequence_length));
    }
    if (o.micro_batch_size < 1 || o.batch_size < 1 || o.batch_size % o.micro_batch_size != 0) {
        throw error("CONFIG_INVALID", "expected a micro-batch size that divides the batch size but received " +
                                          std::to_string(o.micro_batch_size) + " and " + std::to_string(o.batch_size));
    }
    if (o.micro_batch_size >= max_segments) {
        throw error("CONFIG_INVALID", "expected at most " + std::to_string(max_segments - 1) +
                                          " rows per micro-batch but received " + std::to_string(o.micro_batch_size));
    }
    // Flat indices into a micro-batch are 32-bit.
    if ((uint64_t)o.micro_batch_size * o.sequence_length > INT32_MAX) {
        throw error("CONFIG_INVALID", "expected at most " + std::to_string(INT32_MAX) +
                                          " tokens per micro-batch but received " + std::to_string(o.micro_batch_size) +
                                          " rows of " + std::to_string(o.sequence_length));
    }
}

namespace {

std::vector<row> rows_of(const token_file & file, uint32_t sequence_length, uint32_t micro_batch_size, bool packing) {
    if (file.n_samples() == 0) { throw error("DATASET_EMPTY", "the dataset has no samples"); }
    if (file.n_target_tokens() == 0) {
        throw error("DATASET_EMPTY",
                    "none of the dataset's " + std::to_string(file.n_samples()) +
                        " samples has a token that carries a loss",
                    "check which parts of a sample the loss covers");
    }
    std::vector<uint32_t> lengths(file.n_samples());
    for (size_t i = 0; i < lengths.size(); i++) {
        lengths[i] = (uint32_t)std::min<size_t>(file.at(i).n_tokens, UINT32_MAX);
    }
    // each row's padding counts as a segment too
    const uint32_t max_samples = std::max(2u, max_segments / std::max(1u, micro_batch_size)) - 1;
    return pack_rows(lengths, sequence_length, packing, max_samples);
}

data_plan plan_of(const token_file & file, size_t n_rows, uint32_t rows_per_step) {
    data_plan plan{};
    plan.n_samples = file.n_samples();
    plan.n_rows = n_rows;
    plan.steps_per_epoch = (n_rows + rows_per_step - 1) / rows_per_step;
    plan.n_tokens = file.n_tokens();
    plan.n_target_tokens = file.n_target_tokens();
    return plan;
}

}

loader::loader(const token_file & file, const loader_options & options)
    : file_(file), options_((check_loader_options(options), options)),
      rows_(rows_of(file, options.sequence_length, options.micro_batch_size, options.packing)),
      plan_(plan_of(file, rows_.size(), options.batch_size)) {
    file.forget();
}

void loader::prepare_order(uint64_t epoch) {
    if (order_epoch_ == epoch) { return; }
    order_.resize(rows_.size());
    std::iota(order_.begin(), order_.end(), 0u);
    if (options_.shuffle) {
        rng random(options_.seed, epoch); // one stream per epoch, so that each epoch's order is independent
        for (size_t i = order_.size(); i > 1; i--) { std::swap(order_[i - 1], order_[random.below(i)]); }
    }
    order_epoch_ = epoch;
}

void loader::next(step_batch & out) {
    prepare_order(cursor_.epoch);
    const size_t n_rows = (size_t)std::min<uint64_t>(options_.batch_size, rows_.size() - cursor_.row);
    out.epoch = cursor_.epoch;
    out.first_row = cursor_.row;
    out.n_rows = n_rows;
    out.last_of_epoch = cursor_.row + n_rows == rows_.size();
    out.total_target_tokens = 0;
    out.total_target_weight = 0;
    out.total_tokens = 0;
    out.n_samples = 0;
    out.resize((n_rows + options_.micro_batch_size - 1) / options_.micro_batch_size);
    for (size_t m = 0; m < out.size(); m++) {
        micro_batch & batch = out.at(m);
        clear_batch(batch, options_.micro_batch_size, options_.sequence_length);
        const size_t begin = m * options_.micro_batch_size;
        const size_t end = std::min<size_t>(begin + options_.micro_batch_size, n_rows);
        for (size_t i = begin; i < end; i++) { fill_row(batch, rows_[order_[cursor_.row + i]], file_); }
        out.total_target_tokens += batch.target_position.size();
        for (const float weight : batch.target_weight) out.total_target_weight += double(weight);
        out.total_tokens += batch.n_tokens;
        out.n_samples += batch.n_samples;
    }
    constexpr uint64_t window = 1 << 20; // tokens
    read_ += out.total_tokens;
    if (read_ >= window) {
        file_.forget();
        read_ = 0;
    }
    cursor_.row += n_rows;
    if (out.last_of_epoch) { cursor_ = {cursor_.epoch + 1, 0}; }
}

void loader::seek(const data_cursor & cursor) {
    if (cursor.row >= rows_.size() || cursor.row % options_.batch_size != 0) {
        throw error("CHECKPOINT_MISMATCH",
                    "the checkpoint continues at row " + std::to_string(cursor.row) +
                        ", which is not the first of a step (" + std::to_string(rows_.size()) + " rows, " +
                        std::to_string(options_.batch_size) + " per step)",
                    "resume with the dataset and the batch options of the original run");
    }
    cursor_ = cursor;
}

sequential_loader::sequential_loader(const token_file & file, uint32_t sequence_length, uint32_t micro_batch_size,
                                     bool packing)
    : file_(file), sequence_length_(sequence_length), micro_batch_size_(micro_batch_size) {
    check_loader_options({sequence_length, micro_batch_size, micro_batch_size, packing, false, 0});
    rows_ = rows_of(file, sequence_length, micro_batch_size, packing);
    plan_ = plan_of(file, rows_.size(), micro_batch_size);
}

bool sequential_loader::next(micro_batch & out) {
    if (row_ == rows_.size()) { return false; }
    clear_batch(out, micro_batch_size_, sequence_length_);
    for (uint32_t i = 0; i < micro_batch_size_ && row_ < rows_.size(); i++, row_++) {
        fill_row(out, rows_[row_], file_);
    }
    return true;
}

}
