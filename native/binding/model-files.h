#pragma once

#include "binding/node.h"

namespace llamatune::binding {

Napi::Value create_model_call(const Napi::CallbackInfo & info);
Napi::Value quantize_model_call(const Napi::CallbackInfo & info);

}
