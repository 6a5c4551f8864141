#pragma once

#include "model-tools/create.h"

#include <nlohmann/json.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace gpu_kit {

// What to measure, from JSON on the command line. The names are those of tools/bench-training.
struct spec {
    std::string folder; // for the model and the dataset
    std::string model;  // a shape of shapes.json
    std::string type = "Q8_0";
    std::string device = "cpu";
    std::string precision = "bf16";
    std::string gradient_checkpointing = "auto"; // "auto", "on", "off"
    int32_t micro_batch = 1, sequence = 512;     // rows and tokens per row
    int32_t warmup = 2, steps = 3;               // steps: the fewest that are measured
    double seconds = 10;                         // measure more steps until this time is over
    int32_t prompt_tokens = 512, generated_tokens = 64;
    bool profile = false;
};

// Throws error ARGUMENT_INVALID for an unknown name or a value of another type.
spec read_spec(const std::string & text);

// A shape of shapes.json, which tools/gpu-kit/build.mjs writes from tools/bench-training/shapes.mjs.
struct shape {
    llamatune::create_options model; // without path and weight type
    int64_t vocabulary_size;
    std::vector<std::string> targets; // of LoRA
    int32_t rank;
    double flop_per_token, flop_per_target; // of LoRA training with this rank
};

// Throws error ARGUMENT_INVALID if the file has no shape of this name.
shape read_shape(const std::string & file, const std::string & name);

}
