#pragma once

#include "data/loader.h"
#include "graph/forward.h"
#include "train/options.h"
#include "train/step.h"

namespace llamatune {

loader_options loader_options_of(const train_options & options);
batch_shape shape_of(const train_options & options);
step_options step_options_of(const train_options & options);

}
