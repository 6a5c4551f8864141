#pragma once

#include "graph/compute.h"
#include "optim/adamw.h"
#include "train/options.h"

namespace llamatune {

// The optimizer's two graphs on their devices: the norm of all gradients, then the update.
class optimizer {
public:
    optimizer(const parameter_set & parameters, const train_options & options, const compute & devices);

    double gradient_norm(); // before clipping
    // `number` counts updates from 1; AdamW corrects its moments' bias by it.
    void update(int64_t number, double learning_rate, double clip);

private:
    adamw rule_;
    ggml_backend_sched_ptr norm_scheduler_;
    ggml_backend_sched_ptr update_scheduler_;
};

}
