#pragma once

#include "data/loader.h"
#include "graph/forward.h"
#include "train/options.h"
#include "train/step.h"

namespace llamatune {

loader_options loader_options_of(const train_options & options);
layout_options layout_options_of(const train_options & options);
// The shape to build first.
batch_shape first_shape(const train_options & options);
step_options step_options_of(const train_options & options);

}
