#include "train/linear-targets.h"

#include "adapter/adapter.h"
#include "autodiff/engine/backward.h"

namespace llamatune {

read_tensors tensors_read(const forward & graph, const std::vector<const ggml_tensor *> & trained,
                          const compute & devices) {
    graph_builder unused; // nothing is differentiated; only the gradient path is marked
    ggml_tensor * hidden = graph.hidden();
    const forward::head head =
        graph.build_head(unused.ctx(), ggml_new_tensor_2d(unused.ctx(), hidden->type, hidden->ne[0], hidden->ne[1]));
    read_tensors found;
    const auto add_nodes = [&](const std::vector<ggml_tensor *> & nodes, ggml_tensor * result) {
        gradients g(unused, devices.devices());
        for (const ggml_tensor * t : trained) g.want(t);
        mark_gradient_path(g, nodes, result);
        for (const ggml_tensor * node : nodes) {
            found.all.insert(std::begin(node->src), std::end(node->src));
            if (g.wants(node)) found.with_gradient.insert(std::begin(node->src), std::end(node->src));
        }
    };
    add_nodes(graph.nodes(), hidden);
    add_nodes(head.nodes, head.logits);
    return found;
}

linear_targets find_linear_targets(const std::shared_ptr<model> & base, const batch_shape & shape) {
    adapter_options options;
    options.rank = 1;
    options.targets = target_kinds(*base);
    linear_targets found;
    if (options.targets.empty()) { return found; }
    const auto all = adapter::create(base, options);
    const compute devices(*base, 1);
    const forward graph(base, all->handle(), shape, devices);
    std::vector<const ggml_tensor *> pairs;
    for (const lora_pair & pair : all->pairs()) pairs.insert(pairs.end(), {pair.a, pair.b});
    const read_tensors read = tensors_read(graph, pairs, devices);
    for (const lora_pair & pair : all->pairs()) {
        const auto in = [&](const std::unordered_set<const ggml_tensor *> & set) {
            return set.count(pair.a) && set.count(pair.b);
        };
        (in(read.with_gradient) ? found.trainable : in(read.all) ? found.selecting : found.unread).push_back(pair.name);
    }
    return found;
}

std::vector<std::string> expand_targets(const std::vector<std::string> & entries, const std::shared_ptr<model> & base,
                                        const batch_shape & shape) {
    std::vector<std::string> expanded;
    for (const std::string & entry : entries) {
        if (entry != all_linear) {
            expanded.push_back(entry);
            continue;
        }
        for (const std::string & name : find_linear_targets(base, shape).trainable) {
            const auto holds = [&](const char * part) { return name.find(part) != std::string::npos; };
            if (name != "output.weight" && !holds("_exps.") && !holds("ffn_gate_inp")) expanded.push_back(name);
        }
    }
    return expanded;
}

}
