#pragma once

#include <string>

namespace harness {

// Returns why the named test cannot run in this build on this machine (by the table in expected-skips.cpp); empty if it
// can run. main.cpp fails a run in which any other test is skipped, or in which a listed test is not skipped.
std::string expected_skip(const std::string & test);

// Returns the entries of the table that match no test; each of them is a mistake.
std::string unused_expected_skips();

}
