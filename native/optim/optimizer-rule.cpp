#include "optim/optimizer-rule.h"

#include "core/error.h"
#include "core/join.h"

namespace llamatune {

// optimizers.inc, written by CMake, has a line ENTRY(name, "name") for each file in optim/optimizers.
#define ENTRY(name, text) std::unique_ptr<optimizer_rule> make_##name(const optimizer_options & options);
#include "optim/optimizers.inc"
#undef ENTRY

namespace {

struct entry {
    const char * type;
    std::unique_ptr<optimizer_rule> (*make)(const optimizer_options &);
};

#define ENTRY(name, text) {text, make_##name},
const entry entries[] = {
#include "optim/optimizers.inc"
};
#undef ENTRY

}

std::vector<std::string> optimizer_types() {
    std::vector<std::string> types;
    for (const entry & e : entries) types.push_back(e.type);
    return types;
}

std::unique_ptr<optimizer_rule> make_optimizer_rule(const optimizer_options & options) {
    std::string known;
    for (const entry & e : entries) {
        if (options.type == e.type) return e.make(options);
        append_to(known, std::string("'") + e.type + "'", " or ");
    }
    throw error("CONFIG_INVALID", "expected " + known + " for optimizer.type but received '" + options.type + "'");
}

}
