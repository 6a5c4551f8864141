#pragma once

#include "binding/node.h"

namespace llamatune::binding {

// Called once for each environment, before anything else, with the addon's own folder.
Napi::Value load_backends_call(const Napi::CallbackInfo & info);

Napi::Value system_info_call(const Napi::CallbackInfo & info);

}
