#pragma once

#include <ggml.h>

#include <vector>

inline std::vector<ggml_tensor *> nodes_of(ggml_cgraph * graph) {
    std::vector<ggml_tensor *> nodes;
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) nodes.push_back(ggml_graph_node(graph, i));
    return nodes;
}
