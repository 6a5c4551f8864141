#include "autodiff/engine/preflight.h"

#include "autodiff/engine/gradients.h"
#include "autodiff/engine/rule.h"
#include "core/error.h"
#include "core/join.h"

#include <algorithm>

namespace llamatune {

namespace {

void add_once(std::vector<std::string> & names, const std::string & name) {
    if (std::find(names.begin(), names.end(), name) == names.end()) { names.push_back(name); }
}

}

std::vector<std::string> ops_without_rule(const gradients & g, const std::vector<ggml_tensor *> & forward) {
    std::vector<std::string> names;
    for (const ggml_tensor * node : forward) {
        if (g.wants(node) && node->op != GGML_OP_NONE && !g.node_rule_of(node) && !find_rule(node)) {
            add_once(names, ggml_op_desc(node));
        }
    }
    return names;
}

std::vector<std::string> ops_without_device(ggml_cgraph * graph, const std::vector<ggml_backend_dev_t> & devices) {
    std::vector<std::string> names;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        const ggml_tensor * node = ggml_graph_node(graph, i);
        const bool runs = std::any_of(devices.begin(), devices.end(), [&](ggml_backend_dev_t device) {
            return ggml_backend_dev_supports_op(device, node);
        });
        if (!runs) { add_once(names, ggml_op_desc(node)); }
    }
    return names;
}

void require_no_missing(const std::vector<std::string> & without_rule, const std::vector<std::string> & without_device,
                        const std::string & what) {
    if (without_rule.empty() && without_device.empty()) { return; }
    std::string message = "cannot train " + what + ":";
    if (!without_rule.empty()) { message += " no gradient rule for " + join(without_rule); }
    if (!without_device.empty()) {
        message += std::string(without_rule.empty() ? "" : ";") + " no device here runs " + join(without_device);
    }
    throw error("UNSUPPORTED_OP", message,
                "This model cannot be trained yet; generate() and inspect still work with it. "
                "Another architecture, or another device, may be supported.");
}

}
