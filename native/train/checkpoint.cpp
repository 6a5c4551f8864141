#include "train/checkpoint.h"

#include "core/error.h"
#include "core/join.h"
#include "gguf/reader.h"
#include "gguf/writer.h"

#include <algorithm>
#include <set>

namespace llamatune {

namespace {

constexpr int64_t format_version = 3;
constexpr const char * version_key = "llamatune.checkpoint_version";
constexpr const char * run_key = "llamatune.run_id";
constexpr const char * best_name = "best";
constexpr const char * kept_name = "kept";
constexpr const char * total_steps_key = "llamatune.total_steps";

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

std::string tensor_name(const std::string & part, size_t index) { return part + ":" + std::to_string(index); }
std::string parameter_key(size_t index) { return "llamatune.parameter." + std::to_string(index); }

[[noreturn]] void not_readable(const std::string & path, const std::string & reason, const char * hint) {
    throw error("CHECKPOINT_INVALID", "cannot resume from the checkpoint " + path + ": " + reason, hint);
}

bool contains(const std::vector<std::string> & names, const std::string & name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

[[noreturn]] void reject(const std::string & path, const resume_options & resume, std::vector<problem> differences) {
    const auto text_of = [](const problem & p) { return p.path + " " + p.message; };
    const std::string message =
        "cannot resume from the checkpoint " + path + ": " + join_texts(differences, text_of, "; ");
    std::vector<std::string> fixed, others;
    for (const problem & p : differences) (contains(resume.allowable, p.path) ? others : fixed).push_back(p.path);
    std::string hint = "Set " + (fixed.empty() ? std::string("these options") : join(fixed)) +
                       " as in the run that wrote it, or start a new run without resume.";
    if (!others.empty()) {
        hint += std::string(" To continue with other values") + (fixed.empty() ? "" : " of the other options") +
                ", allow them: checkpoint.resume: { from: 'latest', allow: [" +
                join_texts(others, [](const std::string & name) { return "'" + name + "'"; }) + "] }.";
    }
    throw error("CHECKPOINT_MISMATCH", message, hint, std::move(differences));
}

// Calls field(key, value) for everything in the state but the position in the data, which follows from the step.
// Writing and reading share this list.
template <typename state_type, typename function>
void each_field(state_type & state, function && field) {
    field("llamatune.step", state.step);
    field("llamatune.updates", state.updates);
    field("llamatune.non_finite", state.non_finite);
    field("llamatune.tokens", state.tokens);
    field("llamatune.target_tokens", state.target_tokens);
    field("llamatune.loss", state.loss);
    field("llamatune.losses", state.history.losses);
    field("llamatune.learning_rates", state.history.learning_rates);
    field("llamatune.evaluation.", state.history.evaluations);
    field("llamatune.intervention.", state.history.interventions);
    field("llamatune.epoch_loss", state.epoch_loss);
    field("llamatune.epoch_weight", state.epoch_weight);
    field("llamatune.epoch_metric.", state.epoch_metrics);
}

constexpr const char * adaptive_key = "llamatune.adaptive.batches";

// The same for the state of an adaptive run.
template <typename adaptive_type, typename function>
void each_adaptive_field(adaptive_type & state, function && field) {
    field(adaptive_key, state.batches);
    field("llamatune.adaptive.factor", state.factor);
    field("llamatune.adaptive.accumulation", state.accumulation);
    field("llamatune.adaptive.stopped", state.stopped);
    field("llamatune.adaptive.kept_step", state.kept_step);
    field("llamatune.adaptive.kept_updates", state.kept_updates);
    field("llamatune.adaptive.learning_rates", state.learning_rates);
    field("llamatune.adaptive.controller", state.controller);
}

struct field_writer {
    gguf_writer & file;
    void operator()(const char * key, double value) const { file.set(key, value); }
    void operator()(const char * key, int64_t value) const { file.set(key, value); }
    void operator()(const char * key, const std::string & value) const { file.set(key, value); }
    void operator()(const char * key, const std::vector<double> & values) const { file.set(key, values); }
    void operator()(const char * prefix, const named_numbers & values) const {
        for (const auto & [name, value] : values) file.set(prefix + name, value);
    }
    void operator()(const std::string & prefix, const std::vector<evaluation_record> & records) const {
        for (size_t i = 0; i < records.size(); i++) {
            const std::string key = prefix + std::to_string(i) + ".";
            file.set(key + "step", records[i].step);
            file.set(key + "loss", records[i].loss);
            (*this)((key + "metric.").c_str(), records[i].metrics);
        }
    }
    void operator()(const std::string & prefix, const std::vector<intervention_record> & records) const {
        for (size_t i = 0; i < records.size(); i++) {
            const std::string key = prefix + std::to_string(i) + ".";
            file.set(key + "step", records[i].step);
            file.set(key + "kind", name_of(records[i].kind));
            file.set(key + "reason", records[i].reason);
            file.set(key + "before", records[i].before);
            file.set(key + "after", records[i].after);
        }
    }
};

struct field_reader {
    const gguf_reader & file;

    void operator()(const std::string & key, double & value) const {
        value = gguf_get_val_f64(file.metadata(), find(key, GGUF_TYPE_FLOAT64));
    }
    void operator()(const std::string & key, int64_t & value) const {
        value = gguf_get_val_i64(file.metadata(), find(key, GGUF_TYPE_INT64));
    }
    void operator()(const std::string & key, std::string & value) const { value = file.text(key); }
    void operator()(const std::string & key, std::vector<double> & values) const { values = file.numbers(key); }
    void operator()(const std::string & prefix, named_numbers & values) const {
        for (int64_t i = 0; i < gguf_get_n_kv(file.metadata()); i++) {
            const std::string key = gguf_get_key(file.metadata(), i);
            if (key.compare(0, prefix.size(), prefix) == 0) (*this)(key, values[key.substr(prefix.size())]);
        }
    }
    void operator()(const std::string & prefix, std::vector<evaluation_record> & records) const {
        for (size_t i = 0; file.has(prefix + std::to_string(i) + ".step"); i++) {
            const std::string key = prefix + std::to_string(i) + ".";
            evaluation_record record{};
            (*this)(key + "step", record.step);
            (*this)(key + "loss", record.loss);
            (*this)(key + "metric.", record.metrics);
            records.push_back(record);
        }
    }
    void operator()(const std::string & prefix, std::vector<intervention_record> & records) const {
        for (size_t i = 0; file.has(prefix + std::to_string(i) + ".step"); i++) {
            const std::string key = prefix + std::to_string(i) + ".";
            intervention_record record{};
            (*this)(key + "step", record.step);
            const std::string kind = file.text(key + "kind");
            const auto * known = std::find_if(std::begin(intervention_kind_names), std::end(intervention_kind_names),
                                              [&](const auto & each) { return each.name == kind; });
            if (known == std::end(intervention_kind_names)) {
                not_readable(file.path(), "it has an intervention of the unknown kind '" + kind + "'",
                             checkpoint_file.damaged_hint);
            }
            record.kind = known->value;
            record.reason = file.text(key + "reason");
            (*this)(key + "before", record.before);
            (*this)(key + "after", record.after);
            records.push_back(record);
        }
    }
    int64_t find(const std::string & key, gguf_type type) const {
        const int64_t id = gguf_find_key(file.metadata(), key.c_str());
        if (id < 0 || gguf_get_kv_type(file.metadata(), id) != type)
            not_readable(file.path(), "it has no number " + key, checkpoint_file.damaged_hint);
        return id;
    }
};

void check_file(gguf_reader & file) {
    if (file.text("general.type") != "checkpoint")
        not_readable(file.path(), "it is not a checkpoint", checkpoint_file.not_gguf_hint);
    if (file.integer(version_key, 0) != format_version) {
        not_readable(file.path(), "another version of llamatune wrote it",
                     "Finish the run with that version, or start it again without resume.");
    }
    file.verify_checksum();
}

// Returns the differences between the trained tensors and the stored ones: their number, names or shapes.
std::vector<problem> tensor_differences(const gguf_reader & file, const checkpoint_parts & parts) {
    const bool lora = parts.options.mode == train_mode::lora;
    const std::string selection = lora ? "lora.targets" : "model";
    const std::vector<parameter> & all = parts.weights.parameters().all();
    size_t n_stored = 0;
    while (file.has(parameter_key(n_stored))) n_stored++;
    if (n_stored != all.size()) {
        return {{selection, "selects " + std::to_string(all.size()) + " trained tensors, but selected " +
                                std::to_string(n_stored)}};
    }
    for (size_t i = 0; i < all.size(); i++) {
        const std::string name = file.text(parameter_key(i));
        if (name != all[i].name) return {{selection, "selects " + all[i].name + ", but selected " + name}};
        const gguf_tensor * stored = file.find(tensor_name("value", i));
        const int64_t * shape = all[i].value->ne;
        if (!stored || std::equal(shape, shape + 4, stored->shape.begin())) continue;
        return {{lora ? "lora.rank" : "model", "gives " + name + " the shape " + shape_text(shape) + ", but gave it " +
                                                   shape_text(stored->shape.data())}};
    }
    return {};
}

// The name of the option that decides how many steps the run has, if there are fewer than the checkpoint's run had.
std::vector<problem> fewer_steps(const train_options & options, const data_plan & data, int64_t stored) {
    const auto total = int64_t(options.learning_rates.size());
    if (total >= stored) return {};
    const bool whole_epochs = total == int64_t(data.steps_per_epoch) * options.epochs;
    return {{whole_epochs ? "epochs" : "maxSteps",
             "gives " + std::to_string(total) + " steps, but gave " + std::to_string(stored)}};
}

// Returns the options that differ. Throws error CHECKPOINT_MISMATCH unless all of them may.
std::set<std::string> check_differences(const gguf_reader & file, const checkpoint_parts & parts,
                                        const data_plan & data, int64_t stored_steps) {
    std::vector<problem> found = parts.facts.differences(file);
    for (const problem & p : tensor_differences(file, parts)) found.push_back(p);
    const resume_options & resume = *parts.options.checkpoint->resume;
    const auto allowed = [&](const std::string & option) { return contains(resume.allow, option); };
    std::set<std::string> names;
    for (const problem & p : found) names.insert(p.path);
    // other data has another number of steps
    if (!names.count("dataset") || !allowed("dataset"))
        for (const problem & p : fewer_steps(parts.options, data, stored_steps)) found.push_back(p);
    std::vector<problem> refused;
    for (const problem & p : found)
        if (!allowed(p.path)) refused.push_back(p);
    // tensors of other shapes cannot be read, whatever is allowed
    if (refused.empty()) refused = tensor_differences(file, parts);
    if (!refused.empty()) reject(file.path(), resume, std::move(refused));
    return names;
}

void read_tensor(gguf_reader & file, const std::string & name, const std::function<void(const gguf_tensor &)> & read) {
    const gguf_tensor * stored = file.find(name);
    if (!stored || stored->type != GGML_TYPE_F32)
        not_readable(file.path(), "it has no " + name + " in F32", checkpoint_file.damaged_hint);
    read(*stored);
}

// Copies are stored as "<name>:<index>", like the parts.
void add_copies(gguf_writer & file, const std::string & name, tensor_copies * copies) {
    if (!copies || !copies->stored()) return;
    for (size_t i = 0; i < copies->tensors().size(); i++) {
        const ggml_tensor * tensor = copies->tensors()[i];
        file.add(tensor_name(name, i), tensor->type, {tensor->ne, tensor->ne + ggml_n_dims(tensor)},
                 [copies, i](const byte_sink & sink) { sink(copies->value(i).data(), copies->value(i).size()); });
    }
}

void read_copies(gguf_reader & file, const std::string & name, tensor_copies & copies) {
    copies.allocate();
    for (size_t i = 0; i < copies.tensors().size(); i++) {
        read_tensor(file, tensor_name(name, i), [&](const gguf_tensor & stored) {
            auto to = copies.value(i).begin();
            file.read(stored, [&](const void * data, size_t bytes) {
                const char * from = static_cast<const char *>(data);
                to = std::copy(from, from + bytes, to);
            });
        });
    }
}

void read_adaptive(gguf_reader & file, const checkpoint_parts & parts, train_state & state) {
    if (!file.has(adaptive_key)) return;
    each_adaptive_field(state.adaptive.emplace(), field_reader{file});
    if (parts.kept && state.adaptive->kept_step >= 0) read_copies(file, kept_name, *parts.kept);
}

}

std::vector<ggml_tensor *> tensors_of_training(const parameter_set & parameters, const optimizer & optim) {
    std::vector<ggml_tensor *> all;
    for (const part & p : parts_of(parameters, optim)) all.insert(all.end(), p.tensors.begin(), p.tensors.end());
    return all;
}

void write_checkpoint(const std::string & path, const std::string & run, const checkpoint_parts & parts,
                      const train_state & state) {
    gguf_writer file;
    file.set("general.type", "checkpoint");
    file.set(version_key, format_version);
    file.set(run_key, run);
    file.set(total_steps_key, int64_t(parts.options.learning_rates.size()));
    parts.facts.write(file);
    each_field(state, field_writer{file});
    if (state.adaptive) each_adaptive_field(*state.adaptive, field_writer{file});
    const std::vector<parameter> & all = parts.weights.parameters().all();
    const std::vector<part> kinds = parts_of(parts.weights.parameters(), parts.optim);
    for (size_t i = 0; i < all.size(); i++) {
        file.set(parameter_key(i), all[i].name);
        for (const part & p : kinds) file.add(tensor_name(p.name, i), p.tensors[i]);
    }
    add_copies(file, best_name, parts.best);
    add_copies(file, kept_name, parts.kept);
    file.add_checksum();
    file.write(path);
}

restored_checkpoint read_checkpoint(const std::string & path, const checkpoint_parts & parts, loader & data) {
    gguf_reader file(path, checkpoint_file);
    check_file(file);
    restored_checkpoint restored;
    restored.run = file.text(run_key);
    restored.total_steps = file.integer(total_steps_key, 0);
    const std::set<std::string> differences = check_differences(file, parts, data.plan(), restored.total_steps);
    restored.differs = !differences.empty() || restored.total_steps != int64_t(parts.options.learning_rates.size());

    const std::vector<parameter> & all = parts.weights.parameters().all();
    for (const part & p : parts_of(parts.weights.parameters(), parts.optim)) {
        for (size_t i = 0; i < all.size(); i++) {
            read_tensor(file, tensor_name(p.name, i),
                        [&](const gguf_tensor & stored) { file.read_into(stored, p.tensors[i]); });
        }
    }
    train_state & state = restored.state;
    each_field(state, field_reader{file});
    const run_history & history = state.history;
    if (history.losses.size() != size_t(state.step) || history.learning_rates.size() != size_t(state.step))
        not_readable(path, "it does not have a loss and a learning rate for each step", checkpoint_file.damaged_hint);
    read_adaptive(file, parts, state);
    data.seek(uint64_t(state.batches()));
    state.cursor = data.cursor();
    if (differences.count("dataset")) state.end_epoch(); // the sums are those of other samples
    if (differences.count("validation")) state.history.evaluations.clear();
    if (parts.best && !state.history.evaluations.empty()) {
        restored.lacks_best = !file.find(tensor_name(best_name, 0));
        if (restored.lacks_best)
            state.history.evaluations.clear();
        else
            read_copies(file, best_name, *parts.best);
    }
    return restored;
}

}
