#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// fieldNames() lists the fields of every struct that crosses to JavaScript, nested fields by dotted path. Only the test
// that compares them with src/contract calls it.
Napi::Value field_names_call(const Napi::CallbackInfo & info);

}
