#pragma once

#include "data/loader.h"
#include "graph/forward.h"
#include "train/options.h"
#include "train/step.h"

namespace llamatune {

loader_options loader_options_of(const train_options & options);
// The samples that are laid out together in an evaluation are its steps.
loader_options validation_loader_options_of(const train_options & options);
layout_options layout_options_of(const train_options & options);
// The shape to build first.
batch_shape first_shape(const train_options & options);
step_options step_options_of(const train_options & options);
// A kept weight is not read again, so no weight is kept if the weights of the model are trained.
bool uses_weight_cache(const train_options & options);

}
