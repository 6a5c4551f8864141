#include "model-tools/merge.h"

#include "adapter/adapter-values.h"
#include "adapter/adapter.h"
#include "core/atomic-file.h"
#include "core/cpu.h"
#include "core/error.h"
#include "core/problem-list.h"
#include "core/thread-pool.h"
#include "gguf/model-files.h"
#include "gguf/writer.h"
#include "model/weight-type.h"

#include "llama-ext.h"
#include "llama.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <set>

namespace llamatune {

namespace {

constexpr int64_t elements_per_piece = 1 << 16; // of a thread at a time

// Collects all weights that cannot be merged, so that one error names them all.
class merge_problems {
public:
    void add(const std::string & weight, const std::string & why, const std::string & hint) {
        problems_.push_back({weight, "'" + weight + "' " + why});
        if (std::find(hints_.begin(), hints_.end(), hint) == hints_.end()) hints_.push_back(hint);
    }

    bool empty() const { return problems_.empty(); }

    // Throws error MERGE_UNSUPPORTED if there are problems.
    void check() const {
        if (empty()) return;
        throw error("MERGE_UNSUPPORTED", "cannot merge the adapter: " + problem_list(problems_), join(hints_, "; "),
                    problems_);
    }

private:
    std::vector<problem> problems_;
    std::vector<std::string> hints_;
};

// The type of each weight of the merged model, in file order.
std::vector<ggml_type> merged_types(const model & base, const model_files & files, const std::string & name) {
    std::vector<ggml_type> types;
    for (const auto & [file, tensor] : files.tensors()) types.push_back(tensor->type);
    if (name == "same") return types;

    llama_model_quantize_params params = llama_model_quantize_default_params();
    params.ftype = llama_ftype(file_type_of(name));
    const std::unique_ptr<quantize_state_impl, decltype(&llama_quant_free)> state(
        llama_quant_init(base.handle(), &params), llama_quant_free);
    const ggml_context_ptr ctx(ggml_init({types.size() * ggml_tensor_overhead(), nullptr, /* no_alloc */ true}));
    std::vector<size_t> positions;
    std::vector<ggml_tensor *> tensors;
    for (size_t i = 0; i < types.size(); i++) {
        const gguf_tensor & from = *files.tensors()[i].tensor;
        ggml_tensor * tensor = ggml_new_tensor(ctx.get(), from.type, GGML_MAX_DIMS, from.shape.data());
        ggml_set_name(tensor, from.name.c_str());
        if (!llama_quant_tensor_allows_quantization(state.get(), tensor)) continue;
        positions.push_back(i);
        tensors.push_back(tensor);
    }
    std::vector<ggml_type> chosen(tensors.size());
    llama_quant_compute_types(state.get(), params.ftype, tensors.data(), chosen.data(), tensors.size());
    for (size_t i = 0; i < chosen.size(); i++) types[positions[i]] = chosen[i];
    return types;
}

// Reads a weight, adds its pair and converts it to another type, some rows at a time.
class merger {
public:
    merger(float alpha, int n_threads, const std::atomic<bool> & stop)
        : alpha_(alpha), stop_(stop), threads_(n_threads > 0 ? n_threads : usable_physical_cores()) {}

    // `pair` may be nullptr.
    void convert(const model_files::entry & from, ggml_type type, const pair_values * pair, const byte_sink & sink) {
        const gguf_tensor & tensor = *from.tensor;
        const int64_t length = tensor.shape[0];
        const size_t from_bytes = ggml_row_size(tensor.type, length), to_bytes = ggml_row_size(type, length);
        const int64_t piece = std::max<int64_t>(1, elements_per_piece / length); // rows
        int64_t first = 0;                                                       // row of the chunk
        from.file->read(tensor, [&](const void * data, size_t bytes) {
            if (stop_) throw error("ABORTED", "merging was aborted");
            if (!pair && type == tensor.type) return sink(data, bytes);
            const int64_t n_rows = int64_t(bytes / from_bytes);
            out_.resize(size_t(n_rows) * to_bytes);
            threads_.run((n_rows + piece - 1) / piece, [&](int64_t i, int) {
                const int64_t start = i * piece, count = std::min(piece, n_rows - start);
                std::vector<float> values(size_t(count * length));
                const char * source = static_cast<const char *>(data) + size_t(start) * from_bytes;
                to_floats(tensor.type, source, values);
                char * stored = out_.data() + size_t(start) * to_bytes;
                if (!pair) {
                    ggml_quantize_chunk(type, values.data(), stored, 0, count, length, nullptr);
                    return;
                }
                const std::vector<float> before = values;
                add_rows(tensor, *pair, first + start, count, values.data());
                ggml_quantize_chunk(type, values.data(), stored, 0, count, length, nullptr);
                compare(type, stored, before, values);
            });
            first += n_rows;
            sink(out_.data(), out_.size());
        });
        // Sums of values that are not finite are not finite either.
        if (!std::isfinite(kept_ + update_)) {
            problems_.add(tensor.name, "would have values that are not finite",
                          "the training of the adapter diverged, its alpha is too large, or the type is too small");
            kept_ = update_ = 0; // so that the next weight is checked alone
        }
    }

    double kept_update() const { return update_ > 0 ? kept_ / update_ : 1.0; }
    // The weights so far that are not finite with their pair.
    const merge_problems & problems() const { return problems_; }

private:
    // Adds to the sums of kept_update().
    void compare(ggml_type type, const char * stored, const std::vector<float> & before,
                 const std::vector<float> & wanted) {
        std::vector<float> after(wanted.size());
        to_floats(type, stored, after);
        double kept = 0, update = 0;
        for (size_t i = 0; i < wanted.size(); i++) {
            const double change = double(wanted[i]) - double(before[i]);
            kept += (double(after[i]) - double(before[i])) * change;
            update += change * change;
        }
        const std::lock_guard<std::mutex> lock(mutex_);
        kept_ += kept;
        update_ += update;
    }

    static void to_floats(ggml_type type, const char * source, std::vector<float> & values) {
        if (type == GGML_TYPE_F32)
            std::copy_n(reinterpret_cast<const float *>(source), values.size(), values.data());
        else
            ggml_get_type_traits(type)->to_float(source, values.data(), int64_t(values.size()));
    }

    // Adds scale * B A to `count` rows; rows of all experts are numbered in one sequence.
    void add_rows(const gguf_tensor & tensor, const pair_values & pair, int64_t row, int64_t count, float * w) const {
        const float scale = alpha_ > 0 ? alpha_ / float(pair.rank) : 1.0f;
        const int64_t length = tensor.shape[0], rank = pair.rank;
        const bool looked_up = is_looked_up(pair.name); // its a has the rows and its b the columns of the weight
        std::vector<float> columns;
        if (looked_up) { // [rank][n_embd]
            columns.resize(pair.b.size());
            for (int64_t i = 0; i < length; i++)
                for (int64_t k = 0; k < rank; k++) columns[size_t(k * length + i)] = pair.b[size_t(i * rank + k)];
        }
        for (int64_t i = row; i < row + count; i++, w += length) {
            const float * factors = (looked_up ? pair.a : pair.b).data() + i * rank;
            const float * basis = looked_up ? columns.data() : pair.a.data() + i / tensor.shape[1] * rank * length;
            for (int64_t k = 0; k < rank; k++) {
                const float factor = scale * factors[k];
                for (int64_t j = 0; j < length; j++) w[j] += factor * basis[k * length + j];
            }
        }
    }

    float alpha_;
    const std::atomic<bool> & stop_;
    thread_pool threads_;
    std::vector<char> out_;
    std::mutex mutex_; // of the sums
    double kept_ = 0, update_ = 0;
    merge_problems problems_;
};

// Refuses weights that have no form in which the pair can be added.
void check_weights(const model_files & files, const std::vector<ggml_type> & types,
                   const std::map<std::string, const pair_values *> & pairs) {
    constexpr const char * keep_separate = "use the adapter with its base model instead";
    merge_problems problems;
    std::set<std::string> names;
    for (const auto & [file, tensor] : files.tensors()) names.insert(tensor->name);
    for (size_t i = 0; i < types.size(); i++) {
        const gguf_tensor & tensor = *files.tensors()[i].tensor;
        const bool has_pair = pairs.count(tensor.name) > 0;
        if (!has_pair && types[i] == tensor.type) continue;
        if (!can_convert(tensor.type))
            problems.add(tensor.name, std::string("has the type ") + ggml_type_name(tensor.type),
                         "merge into a model of another type");
        else if (ggml_quantize_requires_imatrix(types[i]))
            problems.add(tensor.name,
                         std::string("needs an importance matrix for the type ") + ggml_type_name(types[i]),
                         "choose another type, such as Q4_K_M");
        if (!has_pair) continue;
        const std::string scale = tensor.name.substr(0, tensor.name.rfind('.')) + ".scale";
        if (names.count(scale) > 0)
            problems.add(tensor.name, "is multiplied by '" + scale + "', but the adapter is not", keep_separate);
        if (is_looked_up(tensor.name) && names.count("output.weight") == 0)
            problems.add(tensor.name, "is also the output matrix of this model, which the adapter does not change",
                         keep_separate);
    }
    problems.check();
}

}

merge_result merge_adapter(const std::shared_ptr<model> & base, const merge_options & options,
                           const std::function<void(const merge_progress &)> & progress,
                           const std::atomic<bool> & stop) {
    const model_files files(base->options().path);
    std::vector<std::string> inputs = files.paths();
    inputs.push_back(options.adapter);
    require_distinct_output(options.output, inputs);
    const std::vector<ggml_type> types = merged_types(*base, files, options.type);
    const adapter_values adapter = read_adapter_values(options.adapter, base);
    std::map<std::string, const pair_values *> pairs;
    for (const pair_values & pair : adapter.pairs) pairs[pair.name] = &pair;
    check_weights(files, types, pairs);

    gguf_writer writer;
    copy_model_metadata(writer, files);
    if (options.type != "same") {
        writer.set("general.file_type", uint32_t(file_type_of(options.type)));
        writer.set("general.quantization_version", uint32_t(GGML_QNT_VERSION));
    }
    merger work(adapter.alpha, options.n_threads, stop);
    const auto convert = [&](size_t i, const byte_sink & sink) {
        const model_files::entry & from = files.tensors()[i];
        const auto found = pairs.find(from.tensor->name);
        work.convert(from, types[i], found == pairs.end() ? nullptr : found->second, sink);
    };
    // Checks the weights after the first one that failed, which are not written.
    const auto fail = [&](size_t failed) {
        for (size_t i = failed + 1; i < types.size(); i++)
            if (pairs.count(files.tensors()[i].tensor->name) > 0) convert(i, [](const void *, size_t) {});
        work.problems().check();
    };
    int64_t done = 0;
    uint64_t size = 0;
    for (size_t i = 0; i < types.size(); i++) {
        const gguf_tensor & tensor = *files.tensors()[i].tensor;
        const auto & shape = tensor.shape;
        size += ggml_row_size(types[i], shape[0]) * uint64_t(shape[1] * shape[2] * shape[3]);
        writer.add(tensor.name, types[i], {shape.begin(), shape.end()}, [&, i](const byte_sink & sink) {
            convert(i, sink);
            if (!work.problems().empty()) fail(i);
            progress({++done, int64_t(types.size())});
        });
    }
    require_space(options.output, size);
    writer.write(options.output);
    return {work.kept_update()};
}

}
