#pragma once

#include "adapter/adapter.h"
#include "core/rng.h"

#include <ggml-backend.h>

#include <string>

namespace llamatune {

// Initializes a pair of a new adapter, whose values are zero; `random` is the pair's stream. To add an initialization,
// add a file <name>.cpp to adapter/inits that defines init_<name>(), and a value of lora.init to the configuration.
using adapter_init = void (*)(const lora_pair & pair, rng & random);

// Throws error CONFIG_INVALID for a name that does not exist.
adapter_init find_adapter_init(const std::string & name);

}
