#pragma once

// Reads and writes docs/architectures.json: what works for each architecture, in terms that are the same on every
// machine.

#include "architectures/survey.h"

#include <string>
#include <vector>

namespace architectures {

// The recorded part of a row.
struct record {
    std::string name;
    bool logits = false;    // equal llama_decode's, with one sequence and with three
    bool packed = false;    // several samples in one row
    bool learns = false;    // ten steps lower the loss
    bool adapter = false;   // stock llama.cpp gives the trained logits with the adapter
    bool gradients = false; // match the slopes of the loss
    std::vector<std::string> trained, faint, selected, unread;
    std::string problem;

    bool works() const { return logits && learns && adapter && gradients; }
};

record record_of(const row & r);

// Throws the JSON library's errors for an invalid file.
std::vector<record> read_table();
// Surveys all architectures, or only the named ones (then the other rows are kept), and writes the file. Returns the
// process's exit code.
int write_table(const std::string & path, const std::vector<std::string> & names);

// Describes how `now` is worse than `before`; empty if it is not.
std::string worse(const record & now, const record & before);

// The rows that a test tries: all of them, or an eighth in sanitized builds, which are several times slower.
std::vector<record> tried(const std::vector<record> & table);

// Names the tried architectures that train according to the recorded table.
std::vector<std::string> trainable();

// Registers a test for each tried architecture.
void add_tests();

}
