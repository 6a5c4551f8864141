#include "adapter/targets.h"

#include "core/error.h"
#include "core/join.h"
#include "model/weights.h"

#include "ggml.h"

#include <algorithm>
#include <climits>
#include <set>
#include <utility>

namespace llamatune {

namespace {

bool ends_with(const std::string & text, const std::string & end) {
    return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

const std::string weight_suffix = ".weight";

// The number and the length of a name's leading "blk.<number>."; INT_MAX and 0 if it has none.
struct block_part {
    int index;
    size_t length;
};

block_part find_block(const std::string & name) {
    size_t end = 4;
    int index = 0;
    while (end < name.size() && name[end] >= '0' && name[end] <= '9' && index < 1000000) {
        index = index * 10 + (name[end++] - '0');
    }
    const bool found = name.compare(0, 4, "blk.") == 0 && end > 4 && end < name.size() && name[end] == '.';
    return found ? block_part{index, end + 1} : block_part{INT_MAX, 0};
}

// * matches any run of characters, ? any single one. Only the last * is ever retried, so it is linear in practice.
bool glob_match(const std::string & pattern, const std::string & text) {
    size_t p = 0, t = 0, star = std::string::npos, retry = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            retry = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            p++;
            t++;
        } else if (star != std::string::npos) {
            p = star + 1;
            t = ++retry;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') { p++; }
    return p == pattern.size();
}

bool entry_matches(const std::string & entry, const std::string & name) {
    const bool whole_name = entry.find_first_of("*?") != std::string::npos || ends_with(entry, weight_suffix);
    return whole_name ? glob_match(entry, name) : name.substr(find_block(name).length) == entry + weight_suffix;
}

std::string quoted(const std::vector<std::string> & names) {
    return join_texts(names, [](const std::string & name) { return "'" + name + "'"; });
}

}

bool can_be_target(const ggml_tensor * weight) {
    const std::string kind = target_kind(weight);
    return !kind.empty() && weight->ne[3] == 1 && (weight->ne[2] == 1 || ends_with(kind, "exps"));
}

bool in_target_order(const std::string & x, const std::string & y) {
    return std::make_pair(find_block(x).index, x) < std::make_pair(find_block(y).index, y);
}

std::vector<std::string> target_kinds(const model & base) {
    std::set<std::string> kinds;
    for (const ggml_tensor * weight : list_weights(base)) {
        if (can_be_target(weight)) { kinds.insert(target_kind(weight)); }
    }
    return {kinds.begin(), kinds.end()};
}

std::vector<lora_target> match_targets(const model & base, const std::vector<std::string> & entries) {
    const std::string hint = "this model's weight kinds are " + quoted(target_kinds(base)) +
                             "; a pattern with * or ? covers the whole tensor name ('blk.*.attn_?.weight'); "
                             "'all-linear' is every linear layer that can be trained";
    if (entries.empty()) { throw error("NO_TARGETS", "no LoRA targets", hint); }
    std::vector<lora_target> targets;
    std::set<std::string> taken;
    std::vector<std::string> unknown, unsupported;
    for (const std::string & entry : entries) {
        bool known = false, supported = false;
        for (ggml_tensor * weight : list_weights(base)) {
            const std::string name = weight->name;
            if (!entry_matches(entry, name)) { continue; }
            known = true;
            if (can_be_target(weight)) {
                supported = true;
                if (taken.insert(name).second) { targets.push_back({name, weight}); }
            }
        }
        if (!known) {
            unknown.push_back(entry);
        } else if (!supported) {
            unsupported.push_back(entry);
        }
    }
    if (!unknown.empty()) {
        throw error("TARGET_UNKNOWN",
                    "expected LoRA targets that are weights of the model but received " + quoted(unknown), hint);
    }
    if (!unsupported.empty()) {
        throw error("TARGET_UNSUPPORTED",
                    "expected LoRA targets that are matrices of linear layers but received " + quoted(unsupported),
                    hint);
    }
    std::sort(targets.begin(), targets.end(),
              [](const lora_target & x, const lora_target & y) { return in_target_order(x.name, y.name); });
    return targets;
}

}
