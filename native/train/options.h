#pragma once

#include "core/enum-names.h"
#include "data/layout.h"
#include "loss/objective-options.h"
#include "optim/optimizer-options.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace llamatune {

// Each struct that crosses to JavaScript lists its fields once, by their JavaScript names: `fields` passes them to a
// visitor, which reads options, writes events or lists the names.

enum class train_mode { lora, full };

inline constexpr enum_name<train_mode> train_mode_names[] = {{train_mode::lora, "lora"}, {train_mode::full, "full"}};
constexpr auto & names_of(train_mode) { return train_mode_names; }

// Matmul precision on the CPU and on CUDA: bf16 multiplies in bfloat16 and sums in F32, if the device has units for it.
enum class train_precision { f32, bf16 };

inline constexpr enum_name<train_precision> train_precision_names[] = {{train_precision::f32, "f32"},
                                                                       {train_precision::bf16, "bf16"}};
constexpr auto & names_of(train_precision) { return train_precision_names; }

struct lora_options {
    // If not set, a new adapter has the default and a continued one keeps its value. A value that is set must agree
    // with the adapter to continue.
    std::optional<int32_t> rank;
    std::optional<float> alpha;
    std::optional<bool> rs_lora;                     // scale alpha/sqrt(r) instead of alpha/r (arXiv 2312.03732)
    float plus_ratio = 1.0f;                         // LoRA+: learning rate of B over that of A (arXiv 2402.12354)
    std::optional<std::vector<std::string>> targets; // weight kinds ("attn_q") or globs ("blk.*.attn_q.weight")
    std::optional<std::string> init;                 // of a new adapter: see adapter/init.h
    std::optional<std::string> init_adapter;         // adapter file to continue from
};

template <class V>
void fields(V & v, lora_options & o) {
    v("rank", o.rank);
    v("alpha", o.alpha);
    v("rsLora", o.rs_lora);
    v("loraPlusRatio", o.plus_ratio);
    v("targets", o.targets);
    v("init", o.init);
    v("initAdapter", o.init_adapter);
}

struct validation_options {
    std::string file;        // token file
    int32_t every_steps = 0; // optimizer steps (0 = only at the end)
    int32_t patience = 0;    // evaluations without a lower loss that end the run (0 = none do)
    bool keep_best = false;  // the output has the weights of the evaluation with the lowest loss
};

template <class V>
void fields(V & v, validation_options & o) {
    v("file", o.file);
    v("everySteps", o.every_steps);
    v("patience", o.patience);
    v("keepBest", o.keep_best);
}

// One fact about a run: an option and its value as text. See checkpoint_facts.
struct run_fact {
    std::string option;
    std::string value;
};

template <class V>
void fields(V & v, run_fact & f) {
    v("option", f.option);
    v("value", f.value);
}

struct resume_options {
    std::string from;                   // "latest", "auto", or the path of a checkpoint or of a folder with checkpoints
    std::vector<std::string> allow;     // options that may differ from those of the checkpoint's run
    std::vector<std::string> allowable; // that `allow` may name; no run continues with another value of the others
};

template <class V>
void fields(V & v, resume_options & o) {
    v("from", o.from);
    v("allow", o.allow);
    v("allowable", o.allowable);
}

struct checkpoint_options {
    std::string directory;
    int32_t every_steps = 0;  // optimizer steps (0 = never)
    double every_minutes = 0; // (0 = never)
    bool every_epoch = false; // at the end of each epoch
    int32_t keep_last = 0;    // how many checkpoints of the run stay (0 = all)
    bool keep_best = false;   // write one at an evaluation with a new lowest loss, and keep the last of these
    std::optional<resume_options> resume;
    std::vector<run_fact> facts; // of the preparation, in addition to those that the engine knows
};

template <class V>
void fields(V & v, checkpoint_options & o) {
    v("directory", o.directory);
    v("everySteps", o.every_steps);
    v("everyMinutes", o.every_minutes);
    v("everyEpoch", o.every_epoch);
    v("keepLast", o.keep_last);
    v("keepBest", o.keep_best);
    v("resume", o.resume);
    v("facts", o.facts);
}

struct train_options {
    train_mode mode = train_mode::lora;
    lora_options lora; // with mode lora

    std::string train_file; // token file
    std::string output;     // adapter (lora) or whole model (full); empty: nothing is written

    int32_t batch_size = 8; // samples per optimizer step
    batch_layout layout = batch_layout::padding_free;
    int32_t sequence_length = 512;     // the longest sample, in tokens
    int32_t micro_batch_tokens = 1024; // see layout_options
    int32_t micro_batch_size = 1;      // see layout_options
    bool shuffle = true;
    int32_t epochs = 1;
    uint64_t seed = 42;

    objective_options objective;
    optimizer_options optimizer;
    std::vector<float> learning_rates; // one per optimizer step; its length is the number of steps of the run

    std::optional<validation_options> validation;
    std::optional<checkpoint_options> checkpoint;

    bool adaptive = false; // wait for a decision about each step: see train/decision.h

    train_precision precision = train_precision::f32;
    int32_t n_threads = 0;               // 0: all physical cores
    bool gradient_checkpointing = false; // activations are recomputed in the backward pass
    double load_balance_loss = 0;        // coefficient of the load-balance loss of trained routers; 0: none
    bool expert_statistics = false;      // count the experts that tokens choose, which takes a little time
    bool weight_cache = false;           // keep frozen weights in the layout that matrix products read (mode lora)
};

template <class V>
void fields(V & v, train_options & o) {
    v("mode", o.mode);
    if (o.mode == train_mode::lora) v("lora", o.lora);
    v("trainFile", o.train_file);
    v("output", o.output);
    v("batchSize", o.batch_size);
    v("layout", o.layout);
    v("sequenceLength", o.sequence_length);
    v("microBatchTokens", o.micro_batch_tokens);
    v("microBatchSize", o.micro_batch_size);
    v("shuffle", o.shuffle);
    v("epochs", o.epochs);
    v("seed", o.seed);
    v("objective", o.objective);
    v("optimizer", o.optimizer);
    v("learningRates", o.learning_rates);
    v("validation", o.validation);
    v("checkpoint", o.checkpoint);
    v("adaptive", o.adaptive);
    v("precision", o.precision);
    v("threads", o.n_threads);
    v("gradientCheckpointing", o.gradient_checkpointing);
    v("loadBalanceLoss", o.load_balance_loss);
    v("expertStatistics", o.expert_statistics);
    v("weightCache", o.weight_cache);
}

// The size of a run, computed before a model is loaded: the caller derives the schedule's length from it.
struct train_plan {
    uint64_t n_samples;
    uint64_t steps_per_epoch;
    uint64_t total_steps;
    uint64_t n_tokens;            // non-padding tokens per epoch
    uint64_t n_target_tokens;     // tokens per epoch that carry a loss
    uint64_t longest_sample;      // tokens, of the training and the validation samples
    uint64_t largest_step;        // tokens of a micro-batch that can hold any step
    uint64_t largest_micro_batch; // the same for steps and evaluations: more microBatchTokens change nothing
};

template <class V>
void fields(V & v, train_plan & p) {
    v("samples", p.n_samples);
    v("stepsPerEpoch", p.steps_per_epoch);
    v("totalSteps", p.total_steps);
    v("tokens", p.n_tokens);
    v("targetTokens", p.n_target_tokens);
    v("longestSample", p.longest_sample);
    v("largestStep", p.largest_step);
    v("largestMicroBatch", p.largest_micro_batch);
}

}
