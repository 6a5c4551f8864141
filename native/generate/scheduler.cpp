#include "generate/scheduler.h"

#include "core/error.h"
#include "model/info.h"

#include <llama-model.h>
#include <llama.h>

#include <algorithm>
#include <cmath>

namespace llamatune {

namespace {

double ms_since(sequence::clock::time_point start) {
    return std::chrono::duration<double, std::milli>(sequence::clock::now() - start).count();
}

sequence_error failure_of(const error & e) { return {e.code(), e.what(), e.hint()}; }

size_t common_length(const std::vector<int32_t> & a, const std::vector<int32_t> & b) {
    const size_t n = std::min(a.size(), b.size());
    return size_t(std::mismatch(a.begin(), a.begin() + std::ptrdiff_t(n), b.begin()).first - a.begin());
}

// Bytes of the cache of one sequence: F16 keys and values of every position, F32 states of recurrent layers.
int64_t cache_bytes(const model & m, int64_t n_ctx) {
    const llama_hparams & h = m.handle()->hparams;
    int64_t bytes = 0;
    for (uint32_t i = 0; i < h.n_layer(); i++) {
        bytes += h.is_recr(i) ? 4 * int64_t(h.n_embd_r() + h.n_embd_s())
                              : 2 * n_ctx * int64_t(h.n_embd_k_gqa(i) + h.n_embd_v_gqa(i));
    }
    return bytes;
}

}

scheduler::scheduler(const std::shared_ptr<model> & base, const generate_options & options, prompt_queue & prompts,
                     const generation_sink & sink, const std::atomic<bool> & stop)
    : model_(base), options_(options), prompts_(prompts), sink_(sink), stop_(stop), adapters_(base, options.adapters),
      counts_(options.expert_statistics ? std::make_optional<expert_counter>(*base) : std::nullopt),
      can_rewind_(!has_recurrent_state(*base)) {}

generation_totals scheduler::run() {
    while (receive()) {
        admit();
        compact();
        if (n_active_ > 0) step();
    }
    if (counts_) totals_.experts = counts_->layers();
    return totals_;
}

// Takes new prompts and cancellations. Waits for them if there is nothing to do; returns false at the end.
bool scheduler::receive() {
    const bool idle = n_active_ == 0 && waiting_.empty();
    if (stop_) throw error("ABORTED", "generation was aborted");
    if (idle && closed_) return false;
    prompt_queue::content taken = prompts_.take(idle, stop_);
    if (stop_) throw error("ABORTED", "generation was aborted");
    closed_ = taken.closed;
    for (prompt & each : taken.prompts) {
        const auto source = std::make_shared<const prompt>(std::move(each));
        for (size_t i = 0; i < source->seeds.size(); i++) waiting_.push_back({source, int32_t(i)});
    }
    for (const auto & each : taken.cancellations) cancel(each);
    return true;
}

void scheduler::cancel(const prompt_queue::cancellation & c) {
    const auto matches = [&](int64_t prompt_index, int32_t sample_index) {
        return prompt_index == c.prompt_index && (c.sample_index < 0 || sample_index == c.sample_index);
    };
    std::deque<waiting_sample> kept;
    for (const waiting_sample & each : waiting_) {
        if (matches(each.source->index, each.sample_index))
            send_failure(each, finish_reason::cancelled, nullptr);
        else
            kept.push_back(each);
    }
    waiting_ = std::move(kept);
    for (slot & each : slots_) {
        if (!each.active || !matches(each.active->source().index, each.active->result().sample_index)) continue;
        each.active->cancel();
        send_result(each.active->result());
        each.active.reset();
    }
}

// Gives free slots to waiting samples, in their order. A prompt that needs a larger context waits until all slots are
// free.
void scheduler::admit() {
    while (!waiting_.empty()) {
        const waiting_sample next = waiting_.front();
        try {
            check_prompt(*model_, options_, next.source->tokens);
        } catch (const error & e) {
            waiting_.pop_front();
            const sequence_error failure = failure_of(e);
            send_failure(next, finish_reason::error, &failure);
            continue;
        }
        const auto is_free = [](const slot & each) { return !each.active; };
        if (needed_context(*model_, options_, next.source->tokens.size()) > n_ctx_) {
            if (!std::all_of(slots_.begin(), slots_.end(), is_free)) return;
            open_context();
        }
        const auto free = std::find_if(slots_.begin(), slots_.end(), is_free);
        if (free == slots_.end()) return;
        waiting_.pop_front();
        start(size_t(free - slots_.begin()), next);
    }
}

// The cache holds what the sequences can need, not what the model allows. A second context is at least twice as large,
// so that prompts of growing length do not open one each.
void scheduler::open_context() {
    int64_t needed = 0;
    for (const waiting_sample & each : waiting_)
        needed = std::max(needed, needed_context(*model_, options_, each.source->tokens.size()));
    const int64_t most = needed_context(*model_, options_, size_t(INT32_MAX));
    n_ctx_ = GGML_PAD(std::max(needed, std::min(2 * n_ctx_, most)), 256);

    int64_t n_slots = std::clamp<int64_t>(options_.parallel, 1, int64_t(llama_max_parallel_sequences()) - 1);
    if (options_.memory_limit > 0) {
        const int64_t affordable = options_.memory_limit / std::max<int64_t>(cache_bytes(*model_, n_ctx_), 1);
        n_slots = std::clamp<int64_t>(affordable, 1, n_slots);
    }
    // Samples of a prompt start from its state, which a model that cannot rewind needs in a slot of its own.
    keeps_state_ = !can_rewind_ && options_.samples > 1;
    computed_ = {};
    slots_.clear();
    slots_.resize(size_t(n_slots));
    try {
        open_slots();
    } catch (const error & e) {
        // llama.cpp's graphs of a few recurrent architectures hold one sequence only.
        if (can_rewind_ || e.code() != "NATIVE_ASSERTION" || (n_slots == 1 && !keeps_state_)) throw;
        keeps_state_ = false;
        slots_.resize(1);
        open_slots();
    }
}

void scheduler::open_slots() {
    context_.reset(); // before the next one is allocated
    const int32_t n_sequences = int32_t(slots_.size()) + (keeps_state_ ? 1 : 0);
    const context_options options{int32_t(n_ctx_),    std::max(options_.batch_size, 1), options_.n_threads, n_sequences,
                                  options_.attention, counts_ ? &*counts_ : nullptr};
    context_ = std::make_unique<inference_context>(model_, options, &adapters_, stop_);
    totals_.flash_attention = context_->uses_flash_attention();
    if (can_rewind_ || n_sequences == 1) return;
    const std::optional<expert_counter> counted = counts_;
    context_->decode_step({{0, 0, 0}, {1, 0, 0}}); // fails if the graph cannot hold two sequences
    context_->clear();
    counts_ = counted; // without these two tokens
}

void scheduler::start(size_t s, const waiting_sample & sample) {
    slot & own = slots_[s];
    own.active = std::make_unique<sequence>(*model_, options_, sample.source, sample.sample_index, started_);
    const auto prompt_started = sequence::clock::now();
    const size_t shared = copy_prefix(s, *sample.source);
    const size_t n_prompt = sample.source->tokens.size();
    if (shared < n_prompt) {
        context_->decode_prompt(int32_t(s), int32_t(shared), sample.source->tokens.data() + shared, n_prompt - shared);
        keep_computed(s, sample.source);
    }
    own.source = sample.source;
    const double ms = ms_since(prompt_started);
    own.active->prompt_computed(int64_t(shared), ms);
    totals_.prompt_ms += ms;
    totals_.prompt_tokens += int64_t(n_prompt);
    totals_.shared_prompt_tokens += int64_t(shared);

    const auto draw_started = sequence::clock::now();
    draw(s, shared < n_prompt ? context_->logits(-1) : computed_.logits.data());
    totals_.generation_ms += ms_since(draw_started);
}

// How many tokens of the prompt need not be computed because the slot has them, computed by the kernels that compute
// them for this prompt alone.
size_t scheduler::shared_length(const slot & from, const prompt & p) const {
    if (!from.source) return 0;
    if (from.source.get() == &p && computed_.source.get() == &p) return p.tokens.size(); // its logits are known
    const size_t n_from = from.source->tokens.size();
    constexpr size_t least = size_t(least_prompt_pass);
    if (!context_->splits_exactly() || options_.batch_size < 2 * least_prompt_pass || n_from < least ||
        p.tokens.size() < least)
        return 0;
    const size_t shared = std::min(common_length(from.source->tokens, p.tokens), p.tokens.size() - least);
    return shared >= least ? shared : 0;
}

// Copies the beginning of the prompt from the slot that has most of it, and returns its length.
size_t scheduler::copy_prefix(size_t s, const prompt & p) {
    if (!can_rewind_) {
        if (!keeps_state_ || computed_.source.get() != &p) {
            context_->rewind(int32_t(s), 0);
            return 0;
        }
        context_->copy(int32_t(slots_.size()), int32_t(s));
        return p.tokens.size();
    }
    size_t best = s, shared = shared_length(slots_[s], p);
    for (size_t i = 0; i < slots_.size(); i++) {
        const size_t length = shared_length(slots_[i], p);
        if (length > shared) {
            best = i;
            shared = length;
        }
    }
    if (shared > 0) context_->copy(int32_t(best), int32_t(s));
    if (context_->rewind(int32_t(s), int32_t(shared))) return shared;
    context_->rewind(int32_t(s), 0);
    return 0;
}

// Keeps the prompt's last logits for its other samples, and its state if it cannot be recovered from a longer one.
void scheduler::keep_computed(size_t s, const std::shared_ptr<const prompt> & p) {
    computed_ = {};
    if (p->seeds.size() < 2 || !(can_rewind_ || keeps_state_)) return;
    const float * logits = context_->logits(-1);
    computed_ = {p, {logits, logits + llama_vocab_n_tokens(llama_model_get_vocab(model_->handle()))}};
    if (keeps_state_) context_->copy(int32_t(s), int32_t(slots_.size()));
}

// Moves the last active slots to free ones before them: llama.cpp decodes together only neighbouring parts of its
// cache.
void scheduler::compact() {
    n_active_ = size_t(std::count_if(slots_.begin(), slots_.end(), [](const slot & each) { return !!each.active; }));
    size_t last = slots_.size();
    for (size_t i = 0; i < n_active_; i++) {
        if (slots_[i].active) continue;
        while (!slots_[--last].active) {}
        context_->copy(int32_t(last), int32_t(i));
        slots_[i].source = slots_[last].source;
        slots_[i].active = std::move(slots_[last].active);
    }
}

// Generates a token of each active sequence.
void scheduler::step() {
    const auto step_started = sequence::clock::now();
    totals_.parallel = std::max(totals_.parallel, int32_t(n_active_));
    const size_t most = model_->handle()->devices.empty() ? size_t(most_step_tokens) : slots_.size();
    const size_t n_passes = (n_active_ + most - 1) / most;
    for (size_t pass = 0; pass < n_passes; pass++) {
        const size_t first = pass * n_active_ / n_passes, end = (pass + 1) * n_active_ / n_passes;
        std::vector<next_token> tokens;
        for (size_t s = first; s < end; s++) {
            const sequence_result & so_far = slots_[s].active->result();
            const int64_t position = so_far.prompt_tokens + so_far.generated_tokens - 1;
            tokens.push_back({int32_t(s), int32_t(position), so_far.tokens.back()});
        }
        context_->decode_step(tokens);
        for (size_t s = first; s < end; s++) draw(s, context_->logits(int32_t(s - first)));
    }
    totals_.generation_ms += ms_since(step_started);
}

void scheduler::draw(size_t s, const float * logits) {
    sequence & active = *slots_[s].active;
    try {
        if (active.draw(logits, sink_)) return;
    } catch (const error & e) {
        if (e.code() != "NON_FINITE_LOGITS" && e.code() != "GRAMMAR_STUCK") throw;
        active.fail(failure_of(e));
    }
    send_result(active.result());
    slots_[s].active.reset();
}

void scheduler::send_result(sequence_result result) {
    totals_.generated_tokens += result.generated_tokens;
    if (counts_) result.experts = counts_->take_new();
    if (sink_) sink_(result);
}

// Ends a sample that was not started.
void scheduler::send_failure(const waiting_sample & sample, finish_reason reason, const sequence_error * failure) {
    sequence_result result;
    result.prompt_index = sample.source->index;
    result.sample_index = sample.sample_index;
    result.seed = sample.source->seeds[size_t(sample.sample_index)];
    result.prompt_tokens = int64_t(sample.source->tokens.size());
    result.reason = reason;
    if (failure) result.failure = *failure;
    result.time_to_first_token_ms = NAN;
    send_result(result);
}

}
