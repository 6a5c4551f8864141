#pragma once

#include "binding/node.h"
#include "model/info.h"

namespace llamatune::binding {

Napi::Value model_info_to_js(Napi::Env env, const model_info & info);

}
