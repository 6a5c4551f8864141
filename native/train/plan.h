#pragma once

#include "data/loader.h"
#include "graph/forward.h"
#include "train/options.h"
#include "train/step.h"

namespace llamatune {

// Throws error CONFIG_INVALID for options that no caller should have let through.
void check_train_options(const train_options & options);
loader_options loader_options_of(const train_options & options);
batch_shape shape_of(const train_options & options);
const char * precision_of(const train_options & options);
step_options step_options_of(const train_options & options);

}
