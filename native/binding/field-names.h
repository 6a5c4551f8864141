#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// fieldNames(): the fields of every struct that crosses to JavaScript, nested ones by dotted path. Only the test that
// holds them against src/contract calls it.
Napi::Value field_names_call(const Napi::CallbackInfo & info);

}
