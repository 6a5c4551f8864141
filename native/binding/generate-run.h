#pragma once

#include "binding/node.h"

namespace llamatune::binding {

Napi::Value generate_call(const Napi::CallbackInfo & info);

}
