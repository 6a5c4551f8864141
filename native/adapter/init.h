#pragma once

#include "adapter/adapter.h"
#include "core/rng.h"

#include <ggml-backend.h>

#include <string>

namespace llamatune {

// Fills the pair of a new adapter, which is zero. `random` is the pair's own stream. A new one is a file <name>.cpp in
// adapter/inits that defines init_<name>(), and a value of lora.init in the configuration.
using adapter_init = void (*)(const lora_pair & pair, rng & random);

// Throws error CONFIG_INVALID for a name that does not exist.
adapter_init find_adapter_init(const std::string & name);

}
