#include "train/profile.h"

#include "core/atomic-file.h"
#include "cpu/accelerator.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>

namespace llamatune {

namespace {

bool is_view(const ggml_tensor * node) {
    return node->op == GGML_OP_VIEW || node->op == GGML_OP_RESHAPE || node->op == GGML_OP_PERMUTE ||
           node->op == GGML_OP_TRANSPOSE;
}

}

void node_profile::record(const char * part, const ggml_tensor * node) {
    const auto now = std::chrono::steady_clock::now();
    const double ms = std::chrono::duration<double, std::milli>(now - started_).count();
    started_ = now;
    if (node->op == GGML_OP_NONE || is_view(node)) return;
    const ggml_tensor * a = node->src[0];
    const std::string kind = std::string(op_name(node)) + " " + (a ? ggml_type_name(a->type) : "") + " " +
                             std::to_string(node->ne[0]) + "x" + std::to_string(node->ne[1]) + "x" +
                             std::to_string(node->ne[2]);
    profile_entry & entry = entries_[std::string(part) + kind];
    entry.part = part;
    entry.kind = kind;
    entry.count++;
    entry.ms += ms;
}

std::vector<profile_entry> node_profile::entries() const {
    std::vector<profile_entry> all;
    for (const auto & [key, entry] : entries_) all.push_back(entry);
    std::sort(all.begin(), all.end(), [](const profile_entry & a, const profile_entry & b) { return a.ms > b.ms; });
    return all;
}

std::string profile_path() {
    const char * path = std::getenv("LLAMATUNE_PROFILE");
    return path ? path : "";
}

namespace {

std::string table_of(const std::vector<profile_entry> & entries, double runs) {
    std::map<std::string, double> parts;
    for (const profile_entry & e : entries) parts[e.part] += e.ms / runs;
    std::string text = "milliseconds per micro-batch, every operation timed separately\n\n";
    char line[256];
    for (const auto & [part, ms] : parts) {
        std::snprintf(line, sizeof(line), "%-9s %10.2f\n", part.c_str(), ms);
        text += line;
    }
    std::snprintf(line, sizeof(line), "\n%-9s %-52s %8s %10s\n", "part", "operation, first source, result", "count",
                  "ms");
    text += line;
    for (const profile_entry & e : entries) {
        std::snprintf(line, sizeof(line), "%-9s %-52s %8.1f %10.3f\n", e.part.c_str(), e.kind.c_str(),
                      double(e.count) / runs, e.ms / runs);
        text += line;
    }
    return text;
}

// Names of parts, ops and types need no escapes.
std::string json_of(const std::vector<profile_entry> & entries, double runs) {
    std::string text;
    char line[512];
    for (const profile_entry & e : entries) {
        std::snprintf(line, sizeof(line), "%s  {\"part\": \"%s\", \"operation\": \"%s\", \"count\": %g, \"ms\": %g}",
                      text.empty() ? "" : ",\n", e.part.c_str(), e.kind.c_str(), double(e.count) / runs, e.ms / runs);
        text += line;
    }
    return "[\n" + text + "\n]\n";
}

}

void write_profile(const std::string & path, const std::vector<profile_entry> & entries, int64_t n_micro_batches) {
    const double runs = double(std::max<int64_t>(n_micro_batches, 1));
    const bool json = path.size() > 5 && path.compare(path.size() - 5, 5, ".json") == 0;
    const std::string text = json ? json_of(entries, runs) : table_of(entries, runs);
    atomic_file file(path);
    file.write(text.data(), text.size());
    file.commit();
}

}
