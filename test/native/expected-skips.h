#pragma once

#include <string>

namespace harness {

// Why the test of this name cannot run in this build on this machine (the table in expected-skips.cpp); empty if it
// can. main.cpp fails a run in which any other test is skipped, or this one is not.
std::string expected_skip(const std::string & test);

// Entries of the table that match no test: each is a mistake.
std::string unused_expected_skips();

}
