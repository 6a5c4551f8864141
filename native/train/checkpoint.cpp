#include "train/checkpoint.h"

#include "core/atomic-file.h"
#include "core/error.h"
#include "core/ggml-ptr.h"

#include <gguf.h>

#include <filesystem>

namespace fs = std::filesystem;

namespace llamatune {

namespace {

// Everything that decides which tokens a step sees and what it does with them.
std::string identity(const train_options & o, const data_plan & data) {
    const auto n = [](auto value) { return std::to_string(value) + ";"; };
    return std::string(o.mode == train_mode::lora ? "lora;" : "full;") + "samples=" + n(data.n_samples) +
           "tokens=" + n(data.n_tokens) + "targets=" + n(data.n_target_tokens) + "rows=" + n(data.n_rows) +
           "sequence=" + n(o.sequence_length) + "batch=" + n(o.batch_size) + "packing=" + n(int(o.packing)) +
           "shuffle=" + n(int(o.shuffle)) + "seed=" + n(o.seed) + "optimizer=" + o.optimizer.type;
}

// What a checkpoint holds of each parameter, in the parameters' order.
struct part {
    std::string name; // "value", or that of an optimizer's state
    std::vector<ggml_tensor *> tensors;
};

std::vector<part> parts_of(const parameter_set & parameters, const optimizer & optim) {
    std::vector<part> parts{{"value", parameters.values()}};
    for (const optimizer::state_tensors & s : optim.state()) parts.push_back({s.name, s.tensors.all()});
    return parts;
}

std::string tensor_name(const part & p, size_t index) { return p.name + ":" + std::to_string(index); }

[[noreturn]] void reject(const std::string & path, const std::string & expected, const std::string & received) {
    throw error(
        "CHECKPOINT_MISMATCH",
        "expected " + path + " to be a checkpoint of this run (" + expected + ") but received " + received,
        "Resume with the options and the dataset that the run began with, or use another checkpoint.directory.");
}

// Calls field(key, value) for every number of the state: the one list that writing and reading share.
template <typename state_type, typename function>
void each_number(state_type & state, function && field) {
    field("llamatune.step", state.step);
    field("llamatune.updates", state.updates);
    field("llamatune.non_finite", state.non_finite);
    field("llamatune.epoch", state.cursor.epoch);
    field("llamatune.row", state.cursor.row);
    field("llamatune.tokens", state.tokens);
    field("llamatune.target_tokens", state.target_tokens);
    field("llamatune.loss", state.loss);
    field("llamatune.epoch_loss", state.epoch_loss);
    field("llamatune.epoch_weight", state.epoch_weight);
}

struct number_writer {
    gguf_context * file;
    void operator()(const char * key, double value) const { gguf_set_val_f64(file, key, value); }
    void operator()(const char * key, int64_t value) const { gguf_set_val_i64(file, key, value); }
    void operator()(const char * key, uint64_t value) const { gguf_set_val_i64(file, key, int64_t(value)); }
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
    int64_t find(const char * key, gguf_type type) const {
        const int64_t id = gguf_find_key(file, key);
        if (id < 0 || gguf_get_kv_type(file, id) != type) {
            throw error("CHECKPOINT_INVALID", "the checkpoint " + path + " has no number " + key, "Remove the file.");
        }
        return id;
    }
};

std::string text(const gguf_context * file, const char * key) {
    const int64_t id = gguf_find_key(file, key);
    return id < 0 || gguf_get_kv_type(file, id) != GGUF_TYPE_STRING ? "" : gguf_get_val_str(file, id);
}

}

std::string write_checkpoint(const std::string & directory, const train_options & options, const data_plan & data,
                             const parameter_set & parameters, const optimizer & optim,
                             const checkpoint_state & state) {
    std::error_code ignored;
    fs::create_directories(fs::u8path(directory), ignored); // a failure shows when the file is opened
    const std::string path =
        (fs::u8path(directory) / ("checkpoint-" + std::to_string(state.step) + ".gguf")).u8string();

    gguf_context_ptr file{gguf_init_empty()};
    gguf_set_val_str(file.get(), "general.type", "checkpoint");
    gguf_set_val_str(file.get(), "llamatune.identity", identity(options, data).c_str());
    each_number(state, number_writer{file.get()});
    const auto & all = parameters.all();
    const std::vector<part> parts = parts_of(parameters, optim);
    const ggml_context_ptr ctx{ggml_init({ggml_tensor_overhead() * (all.size() * parts.size() + 1), nullptr, true})};
    std::vector<std::vector<float>> copies; // from the device
    for (size_t i = 0; i < all.size(); i++) {
        gguf_set_val_str(file.get(), ("llamatune.parameter." + std::to_string(i)).c_str(), all[i].name.c_str());
        for (const part & p : parts) {
            const ggml_tensor * source = p.tensors[i];
            copies.emplace_back(size_t(ggml_nelements(source)));
            ggml_backend_tensor_get(source, copies.back().data(), 0, ggml_nbytes(source));
            ggml_tensor * stored = ggml_dup_tensor(ctx.get(), source);
            ggml_set_name(stored, tensor_name(p, i).c_str());
            gguf_add_tensor(file.get(), stored);
            gguf_set_tensor_data(file.get(), stored->name, copies.back().data());
        }
    }
    atomic_file out(path);
    if (!gguf_write_to_file_ptr(file.get(), out.handle(), false)) {
        throw error("OUTPUT_NOT_WRITABLE", "expected to write the checkpoint " + path + " but the write failed",
                    "Is the disk full?");
    }
    out.commit();
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
            continue; // a temporary file of a run that was killed
        }
        if (std::stoll(digits) > most) {
            most = std::stoll(digits);
            newest = entry.path().u8string();
        }
    }
    return newest;
}

checkpoint_state read_checkpoint(const std::string & path, const train_options & options, const data_plan & data,
                                 const parameter_set & parameters, const optimizer & optim) {
    ggml_context * raw = nullptr;
    const gguf_context_ptr file{gguf_init_from_file(path.c_str(), {false, &raw})};
    const ggml_context_ptr tensors{raw};
    if (!file || text(file.get(), "general.type") != "checkpoint") {
        throw error("CHECKPOINT_INVALID", "expected a checkpoint in " + path + " but received another file",
                    "Remove the file.");
    }
    const std::string expected = identity(options, data), received = text(file.get(), "llamatune.identity");
    if (expected != received) { reject(path, expected, received); }
    const auto & all = parameters.all();
    const std::vector<part> parts = parts_of(parameters, optim);
    if (gguf_get_n_tensors(file.get()) != int64_t(all.size() * parts.size())) {
        reject(path, std::to_string(all.size() * parts.size()) + " tensors",
               std::to_string(gguf_get_n_tensors(file.get())));
    }
    for (size_t i = 0; i < all.size(); i++) {
        const std::string name = text(file.get(), ("llamatune.parameter." + std::to_string(i)).c_str());
        if (name != all[i].name) { reject(path, all[i].name, name); }
        for (const part & p : parts) {
            ggml_tensor * into = p.tensors[i];
            const ggml_tensor * stored = ggml_get_tensor(tensors.get(), tensor_name(p, i).c_str());
            if (!stored || stored->type != GGML_TYPE_F32 || !ggml_are_same_shape(stored, into)) {
                reject(path, "the shape of " + name, "another");
            }
            ggml_backend_tensor_set(into, stored->data, 0, ggml_nbytes(into));
        }
    }
    checkpoint_state state;
    each_number(state, number_reader{file.get(), path});
    return state;
}

}
