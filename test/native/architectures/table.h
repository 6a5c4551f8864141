#pragma once

// docs/architectures.json: what of each architecture works, by kinds and bands that are the same on every machine.

#include "architectures/survey.h"

#include <string>
#include <vector>

namespace architectures {

// What is recorded of a row.
struct record {
    std::string name;
    bool logits = false;  // equal llama_decode's, with one sequence and with three
    bool packed = false;  // several samples in one row
    bool learns = false;  // ten steps lower the loss
    bool adapter = false; // stock llama.cpp gives the trained logits with the adapter
    double slopes = 0;    // how far the loss's slopes deviated; not recorded
    double gradients = 0; // they deviate by less than this band, with room for other machines; 0: not seen to be right
    std::vector<std::string> trained, selected, unread;
    std::string problem;

    bool works() const { return logits && learns && adapter && gradients > 0; }
};

record record_of(const row & r);

// Throws what the JSON library does for a file that is no table.
std::vector<record> read_table();
// Surveys every architecture, or only those named and keeps the other rows, and writes the file. The process's exit
// code.
int write_table(const std::string & path, const std::vector<std::string> & names);

// In words, what `now` has lost of `before`; empty: nothing.
std::string worse(const record & now, const record & before);

// What a test tries of the table: all of it; in sanitized builds, several times slower, an eighth.
std::vector<record> tried(const std::vector<record> & table);

// Names of those that train, by the recorded table; as many as are tried.
std::vector<std::string> trainable();

}
