#pragma once

#include "data/token-file-bytes.h"

#include <string>

namespace harness {

// Writes bytes to a file of this name in the test cache and returns its path.
std::string write_bytes(const std::string & name, const std::vector<uint8_t> & bytes);

std::string write_token_file(const std::string & name, const std::vector<token_sample> & samples);

}
