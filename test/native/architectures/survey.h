#pragma once

// Finds by trying what works for an architecture: a row of docs/architectures.md.

#include <string>
#include <vector>

namespace architectures {

struct row {
    std::string name; // of the generated model: llama.cpp's architecture, "-moe" for its mixture of experts

    // Largest normalised squared error of the training graph's logits compared with llama_decode's; NaN if the graph
    // cannot be built.
    double one_sequence = 0, three_sequences = 0;
    bool packed = false; // samples packed into one row give the same logits as alone

    std::vector<std::string> trained;  // kinds of weights whose LoRA pair's gradient matches finite differences
    std::vector<std::string> faint;    // of these, kinds whose gradient is so small that rounding limits the comparison
    std::vector<std::string> selected; // kinds that only feed a selection, which has no gradient
    std::vector<std::string> unread;   // kinds that are matrices but whose pair llama.cpp's graph does not read

    double slopes = 0;   // largest deviation from a measured slope, relative to the gradient of its kind
    double composed = 0; // relative difference of the gradients by primitives only
    double first_loss = 0, tenth_loss = 0; // of ten AdamW steps on one batch
    double stock = 0;    // nmse: logits with the adapter file in stock llama.cpp against the training graph's
    std::string problem; // an error message; empty if everything works
};

// Names of all models in the cache, sorted.
std::vector<std::string> all_names();

// The batches whose gradients are compared with slopes: three for each kind of weight, or as many of them as it takes
// until one measures the kind's slope precisely.
enum class batches { all, until_precise };

row survey(const std::string & name, batches which);

}
