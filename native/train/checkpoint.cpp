#include "train/checkpoint.h"

#include "core/error.h"
#include "core/join.h"
#include "core/number-text.h"
#include "gguf/reader.h"
#include "gguf/writer.h"

#include <algorithm>
#include <filesystem>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

// One fact about a run that determines which tokens a step sees and what it does with them. A checkpoint stores all of
// them, as texts.
struct run_fact {
    std::string option; // that decides it
    std::string value;
};

std::vector<run_fact> facts_of(const train_options & o, const data_plan & data, const trainable_weights & weights,
                               const optimizer & optim) {
    const auto n = [](auto value) { return std::to_string(value); };
    const auto flag = [](bool value) { return std::string(value ? "true" : "false"); };
    const std::string state = join_texts(optim.state(), [](const auto & s) { return s.name; });
    std::vector<run_fact> facts = {
        {"mode", name_of(o.mode)},
        {"dataset", n(data.n_samples) + " samples with " + n(data.n_tokens) + " tokens, " + n(data.n_target_tokens) +
                        " of them targets"},
        {"sequenceLength", n(o.sequence_length)},
        {"batchSize", n(o.batch_size)},
        {"shuffle", flag(o.shuffle)},
        {"seed", n(o.seed)},
        {"objective.type", o.objective.type},
        {"optimizer", o.optimizer.type + (state.empty() ? " without state" : " with the state " + state)},
    };
    if (o.mode == train_mode::lora) {
        const lora_options & lora = weights.lora();
        facts.push_back({"lora.alpha", lora.alpha ? number_text(*lora.alpha) : "the default"});
        facts.push_back({"lora.rsLora", flag(lora.rs_lora.value_or(false))});
    }
    for (const auto & [name, value] : o.objective.numbers) facts.push_back({"objective." + name, number_text(value)});
    return facts;
}

std::string fact_key(const run_fact & fact) { return "llamatune.run." + fact.option; }

// One kind of tensor that a checkpoint stores for each parameter, in the parameters' order.
struct part {
    std::string name; // "value", or the name of an optimizer's state
    std::vector<ggml_tensor *> tensors;
};

std::vector<part> parts_of(const parameter_set & parameters, const optimizer & optim) {
    std::vector<part> parts{{"value", parameters.values()}};
    for (const optimizer::state_tensors & s : optim.state()) parts.push_back({s.name, s.tensors.all()});
    return parts;
}

std::string tensor_name(const part & p, size_t index) { return p.name + ":" + std::to_string(index); }

[[noreturn]] void reject(const std::string & path, std::vector<problem> differences) {
    const auto text_of = [](const problem & p) { return p.path + " " + p.message; };
    const std::string list = join_texts(differences, text_of, "; ");
    throw error("CHECKPOINT_MISMATCH", "cannot resume from the checkpoint " + path + ": " + list,
                "Set these options as in the run that wrote it, or use another checkpoint.directory.",
                std::move(differences));
}

[[noreturn]] void not_readable(const std::string & path, const std::string & reason, const char * hint) {
    throw error("CHECKPOINT_INVALID", "cannot resume from the checkpoint " + path + ": " + reason, hint);
}

void require_same_run(const gguf_reader & file, const std::vector<run_fact> & facts) {
    std::vector<problem> differences;
    for (const run_fact & fact : facts) {
        const std::string stored = file.text(fact_key(fact));
        if (stored.empty()) {
            not_readable(file.path(), "another version of llamatune wrote it",
                         "Finish the run with that version, or start it again with another checkpoint.directory.");
        }
        if (stored != fact.value) differences.push_back({fact.option, "is " + fact.value + ", but was " + stored});
    }
    if (!differences.empty()) reject(file.path(), std::move(differences));
}

// Calls field(key, value) for every number of the state; writing and reading share this list.
template <typename state_type, typename function>
void each_number(state_type & state, function && field) {
    field("llamatune.step", state.step);
    field("llamatune.updates", state.updates);
    field("llamatune.non_finite", state.non_finite);
    field("llamatune.epoch", state.cursor.epoch);
    field("llamatune.sample", state.cursor.sample);
    field("llamatune.tokens", state.tokens);
    field("llamatune.target_tokens", state.target_tokens);
    field("llamatune.loss", state.loss);
    field("llamatune.epoch_loss", state.epoch_loss);
    field("llamatune.epoch_weight", state.epoch_weight);
    field("llamatune.epoch_metric.", state.epoch_metrics);
}

struct number_writer {
    gguf_writer & file;
    void operator()(const char * key, double value) const { file.set(key, value); }
    void operator()(const char * key, int64_t value) const { file.set(key, value); }
    void operator()(const char * key, uint64_t value) const { file.set(key, int64_t(value)); }
    void operator()(const char * prefix, const named_numbers & values) const {
        for (const auto & [name, value] : values) file.set(prefix + name, value);
    }
};

struct number_reader {
    const gguf_context * file;
    const std::string & path;

    void operator()(const char * key, double & value) const {
        value = gguf_get_val_f64(file, find(key, GGUF_TYPE_FLOAT64));
    }
    void operator()(const char * key, int64_t & value) const {
        value = gguf_get_val_i64(file, find(key, GGUF_TYPE_INT64));
    }
    void operator()(const char * key, uint64_t & value) const {
        value = uint64_t(gguf_get_val_i64(file, find(key, GGUF_TYPE_INT64)));
    }
    void operator()(const std::string & prefix, named_numbers & values) const {
        for (int64_t i = 0; i < gguf_get_n_kv(file); i++) {
            const std::string key = gguf_get_key(file, i);
            if (key.compare(0, prefix.size(), prefix) == 0) (*this)(key.c_str(), values[key.substr(prefix.size())]);
        }
    }
    int64_t find(const char * key, gguf_type type) const {
        const int64_t id = gguf_find_key(file, key);
        if (id < 0 || gguf_get_kv_type(file, id) != type) {
            not_readable(path, std::string("it has no number ") + key, checkpoint_file.damaged_hint);
        }
        return id;
    }
};

}

std::string write_checkpoint(const std::string & directory, const train_options & options, const data_plan & data,
                             const trainable_weights & weights, const optimizer & optim, const train_state & state) {
    std::error_code ignored;
    fs::create_directories(fs::u8path(directory), ignored); // opening the file reports a failure
    const std::string path =
        (fs::u8path(directory) / ("checkpoint-" + std::to_string(state.step) + ".gguf")).u8string();

    gguf_writer file;
    file.set("general.type", "checkpoint");
    for (const run_fact & fact : facts_of(options, data, weights, optim)) file.set(fact_key(fact), fact.value);
    each_number(state, number_writer{file});
    const auto & all = weights.parameters().all();
    const std::vector<part> parts = parts_of(weights.parameters(), optim);
    for (size_t i = 0; i < all.size(); i++) {
        file.set("llamatune.parameter." + std::to_string(i), all[i].name);
        for (const part & p : parts) file.add(tensor_name(p, i), p.tensors[i]);
    }
    file.write(path);
    return path;
}

std::optional<std::string> newest_checkpoint(const std::string & directory) {
    std::optional<std::string> newest;
    int64_t most = -1;
    std::error_code failed;
    for (const fs::directory_entry & entry : fs::directory_iterator(fs::u8path(directory), failed)) {
        const std::string name = entry.path().filename().u8string();
        const std::string prefix = "checkpoint-", suffix = ".gguf";
        if (name.size() <= prefix.size() + suffix.size() || name.compare(0, prefix.size(), prefix) != 0 ||
            name.compare(name.size() - suffix.size(), suffix.size(), suffix) != 0) {
            continue;
        }
        const std::string digits = name.substr(prefix.size(), name.size() - prefix.size() - suffix.size());
        if (digits.size() > 18 || digits.find_first_not_of("0123456789") != std::string::npos) {
            continue; // a temporary file of a killed run
        }
        if (std::stoll(digits) > most) {
            most = std::stoll(digits);
            newest = entry.path().u8string();
        }
    }
    return newest;
}

train_state read_checkpoint(const std::string & path, const train_options & options, const data_plan & data,
                            const trainable_weights & weights, const optimizer & optim) {
    gguf_reader file(path, checkpoint_file);
    if (file.text("general.type") != "checkpoint")
        not_readable(path, "it is not a checkpoint", checkpoint_file.damaged_hint);
    require_same_run(file, facts_of(options, data, weights, optim));
    const auto & all = weights.parameters().all();
    const std::vector<part> parts = parts_of(weights.parameters(), optim);
    const bool lora = options.mode == train_mode::lora;
    const std::string selection = lora ? "lora.targets" : "model";
    if (file.tensors().size() != all.size() * parts.size()) {
        reject(path, {{selection, "selects " + std::to_string(all.size()) + " trained tensors, but selected " +
                                      std::to_string(file.tensors().size() / parts.size())}});
    }
    for (size_t i = 0; i < all.size(); i++) {
        const std::string name = file.text("llamatune.parameter." + std::to_string(i));
        if (name != all[i].name) reject(path, {{selection, "selects " + all[i].name + ", but selected " + name}});
        for (const part & p : parts) {
            ggml_tensor * into = p.tensors[i];
            const gguf_tensor * stored = file.find(tensor_name(p, i));
            if (!stored || stored->type != GGML_TYPE_F32)
                not_readable(path, "it has no " + tensor_name(p, i) + " in F32", checkpoint_file.damaged_hint);
            if (!std::equal(into->ne, into->ne + 4, stored->shape.begin())) {
                reject(path, {{lora ? "lora.rank" : "model", "gives " + name + " the shape " + shape_text(into->ne) +
                                                                 ", but gave it " + shape_text(stored->shape.data())}});
            }
            file.read_into(*stored, into);
        }
    }
    train_state state;
    each_number(state, number_reader{file.metadata(), path});
    return state;
}

}
