#include "train/recorded-run.h"

#include "core/rng.h"
#include "harness.h"

#include "llama.h"

namespace tiny {

recorded_run run(const std::shared_ptr<model> & m, const train_options & options) {
    recorded_run log;
    const std::atomic<bool> stop{false};
    log.result = run_training(
        m, options,
        [&](const train_event & event) {
            if (const auto * e = std::get_if<step_event>(&event)) log.steps.push_back(*e);
            if (const auto * e = std::get_if<evaluation_event>(&event)) log.evaluations.push_back(*e);
            if (const auto * e = std::get_if<checkpoint_event>(&event)) log.checkpoints.push_back(*e);
            if (const auto * e = std::get_if<epoch_event>(&event)) log.epochs.push_back(*e);
            if (const auto * e = std::get_if<warning_event>(&event)) log.warnings.push_back(*e);
        },
        stop);
    return log;
}

std::vector<harness::token_sample> random_samples(const model & m, size_t n, size_t shortest, size_t longest,
                                                  uint64_t seed) {
    const int32_t n_vocab = llama_vocab_n_tokens(llama_model_get_vocab(m.handle()));
    rng random(seed);
    std::vector<harness::token_sample> samples(n);
    for (auto & s : samples) {
        const size_t length = shortest + random.below(longest - shortest + 1);
        for (size_t i = 0; i < length; i++) {
            s.tokens.push_back(int32_t(random.below(uint64_t(n_vocab))));
            s.weights.push_back(i > 0);
        }
    }
    return samples;
}

train_options options_for(const std::string & name, const std::vector<harness::token_sample> & samples) {
    train_options o;
    o.lora.targets = {"attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"};
    o.train_file = harness::write_token_file(name, samples);
    o.sequence_length = 32;
    o.batch_size = 8;
    o.layout = batch_layout::padded;
    o.micro_batch_size = 4;
    o.n_threads = 1; // the graphs are tiny, so a second thread would mostly wait
    return o;
}

std::shared_ptr<model> arch_llama() {
    static const auto m = model::load({harness::arch_model("llama")});
    return m;
}

}
