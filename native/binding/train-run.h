#pragma once

#include "binding/args.h"
#include "train/options.h"

namespace llamatune::binding {

train_options read_train_options(const args & options);
train_precision read_precision(const std::string & precision);

Napi::Value plan_training_call(const Napi::CallbackInfo & info);
Napi::Value estimate_memory_call(const Napi::CallbackInfo & info);
Napi::Value train_call(const Napi::CallbackInfo & info);

}
