#pragma once

#include "adapter/adapter.h"
#include "graph/forward.h"
#include "model/load.h"
#include "optim/parameter.h"
#include "train/options.h"

#include <memory>

namespace llamatune {

// What a run trains: a LoRA adapter, or the weights of an F32 model themselves.
class trainee {
public:
    // Creates the adapter, or reads the one to continue from. Throws error: what adapter::create and read_adapter
    // throw, MODEL_NOT_TRAINABLE (full training of weights that are not F32, or of a model mapped or repacked).
    trainee(std::shared_ptr<model> base, const train_options & options);

    // To be given to forward; null with full training.
    llama_adapter_lora * adapter_handle() const { return adapter_ ? adapter_->handle() : nullptr; }

    // Once the graph is built: allocates gradients for the tensors that it reads.
    void collect(const forward & graph);
    parameter_set & parameters() const { return *parameters_; }

    // Adapter or whole model. Throws error OUTPUT_NOT_WRITABLE.
    void save(const std::string & path) const;

private:
    std::shared_ptr<model> base_;
    train_options options_;
    std::unique_ptr<adapter> adapter_;
    std::unique_ptr<parameter_set> parameters_;
};

}
