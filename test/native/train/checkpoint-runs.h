#pragma once

#include "core/error.h"
#include "train/recorded-run.h"

#include <functional>
#include <string>
#include <vector>

namespace tiny {

// Options for checkpoints in an empty folder of this name.
checkpoint_options fresh_checkpoints(const std::string & name, int32_t every_steps);

// The names of the files in a folder without the identity of the run: "checkpoint-4", sorted.
std::vector<std::string> checkpoints_in(const std::string & folder);

std::string contents(const std::string & path);

// Runs until `when` is true for an event, aborts, and returns the error of the run.
error aborted_run(const train_options & options, const std::function<bool(const train_event &)> & when);

// The differences that a resume is refused for, one "option message" per line; "none" if it is not refused.
std::string differences(const std::shared_ptr<model> & base, const train_options & options);

}
