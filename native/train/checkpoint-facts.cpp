#include "train/checkpoint-facts.h"

#include "adapter/fingerprint.h"
#include "core/hash.h"
#include "core/join.h"
#include "core/number-text.h"
#include "model/weights.h"

#include <algorithm>
#include <set>

namespace llamatune {

namespace {

const std::string key_prefix = "llamatune.run.";

std::string count_text(uint64_t n) { return std::to_string(n); }
std::string flag_text(bool value) { return value ? "true" : "false"; }

std::string describe(const model & base) {
    const base_fingerprint print = fingerprint_of(base);
    const std::string name = print.name.empty() ? "" : " '" + print.name + "'";
    return print.architecture + name + " (hash " + hexadecimal(sampled_hash(base)) + ")";
}

std::string describe(const token_file & file) {
    return count_text(file.n_samples()) + " samples with " + count_text(file.n_tokens()) + " tokens, " +
           count_text(file.n_target_tokens()) + " of them targets (hash " + hexadecimal(file.hash()) + ")";
}

// The visitor that collects the numbers and flags of a struct. Its other fields decide what the tensors are.
struct number_collector {
    std::string group;
    std::vector<run_fact> & facts;

    void operator()(const char * name, const float & value) { add(name, number_text(double(value))); }
    void operator()(const char * name, const std::optional<float> & value) {
        add(name, value ? number_text(double(*value)) : "the default");
    }
    void operator()(const char * name, const std::optional<bool> & value) {
        add(name, flag_text(value.value_or(false)));
    }
    template <class T>
    void operator()(const char *, const T &) {}

    void add(const std::string & name, const std::string & value) { facts.push_back({group + name, value}); }
};

}

checkpoint_facts::checkpoint_facts(const model & base, const train_options & o, const token_file & train_file,
                                   const token_file * validation_file, const trainable_weights & weights,
                                   const optimizer & optim) {
    const std::string state = join_texts(optim.state(), [](const auto & s) { return s.name; });
    facts_ = {
        {"mode", name_of(o.mode)},
        {"model", describe(base)},
        {"dataset", describe(train_file)},
        {"validation", validation_file ? describe(*validation_file) : "none"},
        {"sequenceLength", count_text(uint64_t(o.sequence_length))},
        {"batchSize", count_text(uint64_t(o.batch_size))},
        {"shuffle", flag_text(o.shuffle)},
        {"seed", count_text(o.seed)},
        {"objective.type", o.objective.type},
        {"optimizer.type", o.optimizer.type + (state.empty() ? " without state" : " with the state " + state)},
        {"optimizer.maxGradientNorm", number_text(double(o.optimizer.max_gradient_norm))},
    };
    const auto add_numbers = [&](const std::string & group, const named_numbers & numbers) {
        constexpr int all_digits = 15;
        for (const auto & [name, value] : numbers) facts_.push_back({group + name, number_text(value, all_digits)});
    };
    add_numbers("objective.", o.objective.numbers);
    add_numbers("optimizer.", o.optimizer.numbers);
    if (o.load_balance_loss > 0) facts_.push_back({"loadBalanceLoss", number_text(o.load_balance_loss)});
    if (o.mode == train_mode::lora) {
        lora_options lora = weights.lora();
        number_collector collector{"lora.", facts_};
        fields(collector, lora);
    }
    facts_.insert(facts_.end(), o.checkpoint->facts.begin(), o.checkpoint->facts.end());
}

void checkpoint_facts::write(gguf_writer & file) const {
    for (const run_fact & fact : facts_) file.set(key_prefix + fact.option, fact.value);
}

std::vector<problem> checkpoint_facts::differences(const gguf_reader & file) const {
    std::vector<problem> found;
    std::set<std::string> known, changed;
    for (const run_fact & fact : facts_) {
        known.insert(fact.option);
        if (file.text(key_prefix + fact.option, "") != fact.value) changed.insert(fact.option);
    }
    // With another mode or type, its options differ too and are not listed.
    const auto follows = [&](const std::string & option) {
        const std::string group = option.substr(0, option.find('.'));
        return changed.count(group + ".type") > 0 || (group == "lora" && changed.count("mode") > 0);
    };
    for (const run_fact & fact : facts_) {
        if (!changed.count(fact.option)) continue;
        const std::string key = key_prefix + fact.option;
        if (!file.has(key) && follows(fact.option)) continue;
        found.push_back({fact.option, "is " + fact.value + ", but was " + file.text(key, "not set")});
    }
    for (int64_t i = 0; i < gguf_get_n_kv(file.metadata()); i++) {
        const std::string key = gguf_get_key(file.metadata(), i);
        if (key.compare(0, key_prefix.size(), key_prefix) != 0) continue;
        const std::string option = key.substr(key_prefix.size());
        if (!known.count(option) && !follows(option))
            found.push_back({option, "is not set, but was " + file.text(key)});
    }
    return found;
}

}
