#include "benchmarks.h"

#include "bench/peak.h"
#include "core/error.h"
#include "core/process-memory.h"
#include "core/rng.h"
#include "data/token-file-bytes.h"
#include "model.h"
#include "train/run.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace gpu_kit {

namespace fs = std::filesystem;
using namespace llamatune;
using nlohmann::json;
using clock = std::chrono::steady_clock;

namespace {

constexpr int32_t most_steps = 100000;

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    const size_t n = values.size();
    return n == 0 ? not_measured : (values[(n - 1) / 2] + values[n / 2]) / 2;
}

// Writes full rows of random tokens; every token except a row's first carries a loss.
std::string write_dataset(const spec & s, int64_t vocabulary_size) {
    rng random(1);
    std::vector<harness::token_sample> samples(size_t(s.micro_batch) * 16);
    for (harness::token_sample & sample : samples) {
        sample.tokens.resize(size_t(s.sequence));
        for (int32_t & token : sample.tokens) token = int32_t(random.below(uint64_t(vocabulary_size)));
        sample.weights.assign(sample.tokens.size(), 1.0f);
        sample.weights[0] = 0;
    }
    const fs::path path = fs::path(s.folder) / "dataset.tokens";
    fs::remove(path);
    const std::vector<uint8_t> bytes = harness::token_file_bytes(samples);
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<const char *>(bytes.data()), std::streamsize(bytes.size()));
    if (!out) throw error("OUTPUT_NOT_WRITABLE", "cannot write " + path.string());
    return path.string();
}

train_options options_of(const spec & s, const shape & sh) {
    train_options o;
    o.lora.rank = sh.rank;
    o.lora.alpha = float(2 * sh.rank);
    o.lora.targets = sh.targets;
    o.train_file = write_dataset(s, sh.vocabulary_size);
    o.sequence_length = s.sequence;
    o.layout = batch_layout::padded;
    o.batch_size = o.micro_batch_size = s.micro_batch;
    o.shuffle = false;
    o.epochs = most_steps;
    o.precision = s.precision == "bf16" ? train_precision::bf16 : train_precision::f32;
    o.learning_rates.assign(size_t(s.profile ? s.warmup + s.steps : most_steps), 1e-4f);
    o.gradient_checkpointing = s.gradient_checkpointing == "on";
    return o;
}

// The choice of 'auto': checkpointing if the run would fill more than nine tenths of the free memory.
json choose_checkpointing(const spec & s, const loaded & base, train_options & options) {
    memory_estimate estimate = estimate_memory(base.model, options);
    const auto needed = [&] { return estimate.adapter_bytes + estimate.optimizer_bytes + estimate.activation_bytes; };
    if (s.gradient_checkpointing == "auto" && base.device && double(needed()) > 0.9 * double(free_bytes(base.device))) {
        options.gradient_checkpointing = true;
        estimate = estimate_memory(base.model, options);
    }
    return {{"weightsBytes", estimate.weights_bytes},
            {"adapterBytes", estimate.adapter_bytes},
            {"optimizerBytes", estimate.optimizer_bytes},
            {"activationBytes", estimate.activation_bytes}};
}

struct measured_run {
    std::vector<step_event> steps; // without warm-up
    double first_step_seconds = 0; // from the start to the end of the first step
    double first_loss = not_measured;
    uint64_t least_free_bytes = UINT64_MAX; // of the device, after a step
};

// Trains for spec.warmup steps, then until spec.seconds are over, but at least spec.steps more. Calls `on_enough` after the
// fewest steps.
measured_run run(const spec & s, const loaded & base, const train_options & options,
                 const std::function<void(const measured_run &)> & on_enough) {
    measured_run result;
    std::atomic<bool> stop{false};
    const auto start = clock::now();
    auto measure_start = start;
    const auto seconds_since = [](clock::time_point from) {
        return std::chrono::duration<double>(clock::now() - from).count();
    };
    const auto on_event = [&](const train_event & event) {
        const auto * step = std::get_if<step_event>(&event);
        if (!step) return;
        if (step->step == 1) {
            result.first_step_seconds = seconds_since(start);
            result.first_loss = step->loss;
        }
        result.least_free_bytes = std::min(result.least_free_bytes, free_bytes(base.device));
        if (step->step == s.warmup) measure_start = clock::now();
        if (step->step > s.warmup) result.steps.push_back(*step);
        if (step->step <= s.warmup + s.steps) // tells a slow run from one that hangs
            std::fprintf(stderr, "step %d: loss %.4f, %.1f ms\n", int(step->step), step->loss, step->step_ms);
        if (step->step == s.warmup + s.steps) on_enough(result);
        stop = !s.profile && int32_t(result.steps.size()) >= s.steps && seconds_since(measure_start) >= s.seconds;
    };
    try {
        run_training(base.model, options, on_event, stop);
    } catch (const error & e) {
        if (e.code() != "ABORTED") throw;
    }
    return result;
}

json row_of(const measured_run & r, const spec & s, const shape & sh) {
    const auto median_of = [&](double step_event::*field) {
        std::vector<double> values;
        for (const step_event & step : r.steps) values.push_back(step.*field);
        return median(values);
    };
    const step_event & last = r.steps.back();
    const double rate = double(last.tokens) / median_of(&step_event::step_ms) * 1000;
    const double targets = double(last.target_tokens) / double(last.tokens);
    const double flop = sh.flop_per_token + sh.flop_per_target * targets;
    return {{"model", s.model},
            {"type", s.type},
            {"microBatch", s.micro_batch},
            {"sequence", s.sequence},
            {"precision", s.precision},
            {"rank", sh.rank},
            {"steps", r.steps.size()},
            {"warmup", s.warmup},
            {"tokensPerStep", last.tokens},
            {"tokensPerSecond", rate},
            {"stepMs", median_of(&step_event::step_ms)},
            {"forwardMs", median_of(&step_event::forward_ms)},
            {"lossMs", median_of(&step_event::loss_ms)},
            {"backwardMs", median_of(&step_event::backward_ms)},
            {"optimizerMs", median_of(&step_event::optimizer_ms)},
            {"dataMs", median_of(&step_event::data_ms)},
            {"firstLoss", r.first_loss},
            {"lastLoss", last.loss},
            {"startToFirstStepSeconds", r.first_step_seconds},
            {"flopPerToken", flop},
            {"achievedTflops", rate * flop / 1e12}};
}

// A failure of this leaves the measured row as it is.
void add_peak(json & row, const spec & s, ggml_backend_dev_t device) {
    static const std::atomic<bool> never{false};
    peak_options options;
    options.precision = s.precision == "bf16" ? train_precision::bf16 : train_precision::f32;
    options.device = device;
    try {
        const double peak_tflops = measure_peak(options, never).median_gflops / 1e3;
        row["peakTflops"] = peak_tflops;
        row["fractionOfPeak"] = row["achievedTflops"].get<double>() / peak_tflops;
    } catch (const error & e) { row["peakError"] = e.what(); }
}

// Makes the engine write the profile to a file for the lifetime of this object.
class profile_file {
public:
    explicit profile_file(const std::string & folder) : path_((fs::path(folder) / "profile.json").string()) {
        setenv("LLAMATUNE_PROFILE", path_.c_str(), 1);
    }
    ~profile_file() { unsetenv("LLAMATUNE_PROFILE"); }
    json read() const {
        std::ifstream in(path_);
        return json::parse(in);
    }

private:
    std::string path_;
};

}

json measure_training(const spec & s, const shape & sh, const row_sink & on_row) {
    const loaded base = load_model(s, sh);
    train_options options = options_of(s, sh);
    const json estimate = choose_checkpointing(s, base, options);
    std::optional<profile_file> profile;
    if (s.profile) profile.emplace(s.folder);

    json first_failure;
    const auto make_row = [&](const measured_run & result) {
        json row = row_of(result, s, sh);
        row["gradientCheckpointing"] = options.gradient_checkpointing ? "on" : "off";
        if (!first_failure.is_null()) row["withoutCheckpointing"] = first_failure;
        row["makeModelSeconds"] = base.make_seconds;
        row["loadModelSeconds"] = base.load_seconds;
        row["estimate"] = estimate;
        if (base.device) {
            row["deviceMemoryBytes"] =
                base.free_bytes_before - std::min(base.free_bytes_before, result.least_free_bytes);
        }
        row["peakHostMemoryBytes"] = peak_resident_bytes().value_or(0);
        return row;
    };
    const auto measured = [&] {
        return make_row(run(s, base, options, [&](const measured_run & result) { on_row(make_row(result)); }));
    };
    json row;
    try {
        row = measured();
    } catch (const error & e) { // such as a device out of memory
        if (s.gradient_checkpointing != "auto" || options.gradient_checkpointing) throw;
        std::fprintf(stderr, "without gradient checkpointing: %s\n", e.what());
        first_failure = e.what();
    }
    if (row.is_null()) { // not within the catch block: the exception may hold memory
        options.gradient_checkpointing = true;
        row = measured();
    }
    if (profile) {
        row["profile"] = profile->read();
    } else {
        on_row(row);
        add_peak(row, s, base.device);
    }
    return row;
}

}
