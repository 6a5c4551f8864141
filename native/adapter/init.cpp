#include "adapter/init.h"

#include "core/error.h"
#include "core/join.h"

namespace llamatune {

// inits.inc, written by CMake, has a line ENTRY(some_name, "some-name") for each file in adapter/inits.
#define ENTRY(function, text) void init_##function(const lora_pair & pair, rng & random);
#include "adapter/inits.inc"
#undef ENTRY

adapter_init find_adapter_init(const std::string & name) {
    std::string known;
#define ENTRY(function, text)                                                                                          \
    if (name == (text)) return init_##function;                                                                        \
    append_to(known, std::string("'") + (text) + "'", " or ");
#include "adapter/inits.inc"
#undef ENTRY
    throw error("CONFIG_INVALID", "expected " + known + " for lora.init but received '" + name + "'");
}

}
