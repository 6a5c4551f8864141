#include "loss/objective.h"

#include "core/error.h"
#include "core/join.h"

namespace llamatune {

// objectives.inc, written by CMake, has a line ENTRY(some_name, "some-name") for each file in loss/objectives.
#define ENTRY(function, text) std::unique_ptr<objective> make_##function(const objective_options & options);
#include "loss/objectives.inc"
#undef ENTRY

std::unique_ptr<objective> make_objective(const objective_options & options) {
    std::string known;
#define ENTRY(function, text)                                                                                          \
    if (options.type == (text)) return make_##function(options);                                                       \
    append_to(known, std::string("'") + (text) + "'", " or ");
#include "loss/objectives.inc"
#undef ENTRY
    throw error("CONFIG_INVALID", "expected " + known + " for objective.type but received '" + options.type + "'");
}

}
