#pragma once

#include "adapter/adapter.h"
#include "graph/forward.h"
#include "model/load.h"
#include "optim/parameter.h"
#include "train/options.h"

#include <memory>

namespace llamatune {

// The weights that a run trains: those of a LoRA adapter, or all of an F32 model.
class trainable_weights {
public:
    // Creates the adapter, or reads the one to continue. Throws the errors of adapter::create and read_adapter, and
    // MODEL_NOT_TRAINABLE (full-parameter training of weights that are not F32, mapped or repacked).
    trainable_weights(std::shared_ptr<model> base, const train_options & options);

    // The adapter of the forward graph; null in full-parameter training.
    llama_adapter_lora * adapter_handle() const { return adapter_ ? adapter_->handle() : nullptr; }

    // The adapter's options; alpha and rs_lora of an adapter to continue are those of its file.
    const lora_options & lora() const { return options_.lora; }

    // Collects the trained tensors that the graph reads and allocates their gradients.
    void collect(const forward & graph);
    parameter_set & parameters() const { return *parameters_; }

    // The size of the output, without its metadata.
    uint64_t bytes() const;

    // Writes the adapter or the whole model. Throws error OUTPUT_NOT_WRITABLE.
    void save(const std::string & path) const;

private:
    std::shared_ptr<model> base_;
    train_options options_;
    std::unique_ptr<adapter> adapter_;
    std::unique_ptr<parameter_set> parameters_;
};

}
