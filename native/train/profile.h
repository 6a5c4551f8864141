#pragma once

#include <ggml.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

namespace llamatune {

// The time of all nodes of one kind ("MUL_MAT q8_0 2048x1024"), summed over all runs.
struct profile_entry {
    std::string part;
    std::string kind;
    int64_t count = 0;
    double ms = 0;
};

// Adds up the time of nodes that run one by one.
class node_profile {
public:
    // The next node starts now.
    void start() { started_ = std::chrono::steady_clock::now(); }
    // The node has finished, and the next one starts.
    void record(const char * part, const ggml_tensor * node);

    std::vector<profile_entry> entries() const; // slowest first

private:
    std::chrono::steady_clock::time_point started_;
    std::unordered_map<std::string, profile_entry> entries_;
};

// The value of the environment variable LLAMATUNE_PROFILE, or empty. If it names a file, a run times every operation
// (which makes it slower) and finally writes the table to the file.
std::string profile_path();

// Writes the milliseconds per micro-batch by part and by operation, slowest first: as a table, or as JSON if the path
// ends in ".json". Throws error OUTPUT_NOT_WRITABLE.
void write_profile(const std::string & path, const std::vector<profile_entry> & entries, int64_t n_micro_batches);

}
