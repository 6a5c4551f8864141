#pragma once

#include "binding/node.h"

namespace llamatune::binding {

Napi::Value bench_call(const Napi::CallbackInfo & info);
Napi::Value measure_peak_call(const Napi::CallbackInfo & info);

}
